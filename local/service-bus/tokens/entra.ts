import { readFile } from 'node:fs/promises';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { unauthorized } from '../brokerError.ts';
import type { EntraConfig, Right } from '../config.ts';

const audiences = ['https://servicebus.azure.net', 'https://servicebus.azure.net/'];
const algorithms = ['RS256', 'ES256'];
/** Shortest time between two fetches of the keys, so that forged key ids cannot make the broker hammer the issuer. */
const fetchCooldownMs = 1000;

export interface EntraIdentity {
  readonly rights: readonly Right[];
  /** Ms since 1970. */
  readonly expiresAt: number;
}

/** Checks an access token. Throws BrokerError (unauthorized). */
export type VerifyEntraToken = (token: string) => Promise<EntraIdentity>;

export function createEntraVerifier(config: EntraConfig): VerifyEntraToken {
  const keys = config.jwksUrl
    ? createRemoteJWKSet(new URL(config.jwksUrl), { cooldownDuration: fetchCooldownMs })
    : keysOfFile(config.jwksFile ?? '');
  return async (token) => {
    const claims = await verify(token, keys, config.issuers);
    const { oid } = claims;
    const rights = typeof oid === 'string' ? config.principals[oid] : undefined;
    if (!rights) {
      throw unauthorized(
        `The principal ${typeof oid === 'string' ? oid : 'without oid'} has no role on this namespace.`,
      );
    }
    return { rights, expiresAt: (claims.exp ?? 0) * 1000 };
  };
}

async function verify(token: string, keys: JWTVerifyGetKey, issuers: readonly string[]): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: [...issuers],
      audience: audiences,
      algorithms,
      requiredClaims: ['exp'],
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw unauthorized('ExpiredToken: The token is expired.');
    throw unauthorized(`InvalidToken: ${(error as Error).message}`);
  }
}

/** Reads the file again whenever a token names a key that it did not have. */
function keysOfFile(path: string): JWTVerifyGetKey {
  let current: ReturnType<typeof createLocalJWKSet> | undefined;
  const load = async () => createLocalJWKSet(JSON.parse(await readFile(path, 'utf8')) as JSONWebKeySet);
  return async (header, token) => {
    try {
      current ??= await load();
      return await current(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      current = await load();
      return current(header, token);
    }
  };
}
