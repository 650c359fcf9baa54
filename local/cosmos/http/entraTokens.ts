import { readFile } from 'node:fs/promises';
import { get } from 'node:https';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { unauthorized } from '../errors.ts';

/** Built-in data-plane roles. */
export type Role = 'contributor' | 'reader';

export interface EntraConfig {
  /** Accepted values of `iss`. */
  readonly issuers: readonly string[];
  /** Address (https or http) or path of the issuer's keys. */
  readonly jwksUrl: string;
  /** What vouches for the certificate of `jwksUrl`; without it, what Node trusts. */
  readonly caFile?: string;
  /** Object ids and their built-in role on the whole account. */
  readonly principals: Readonly<Record<string, Role>>;
}

export interface EntraTokens {
  /** Gives who the token is for. Throws 401 when it is not valid here. */
  verify(token: string): Promise<{ oid: string; role: Role | undefined }>;
}

const serviceAudience = 'https://cosmos.azure.com';
const maxRemembered = 1000;

/** Verifies tokens for `endpoint`, each only once: checking an RSA signature per request would dominate. */
export async function createEntraTokens(config: EntraConfig, endpoint: string): Promise<EntraTokens> {
  const keys = await keySource(config);
  const audience = [endpoint, serviceAudience].flatMap((one) => [one, `${one}/`]);
  const remembered = new Map<string, { oid: string; endsAt: number }>();

  const verify = async (token: string) => {
    const { payload } = await jwtVerify(token, keys, {
      issuer: [...config.issuers],
      audience,
      algorithms: ['RS256'],
      requiredClaims: ['exp', 'oid'],
    });
    return { oid: String(payload.oid), endsAt: (payload.exp ?? 0) * 1000 };
  };

  return {
    async verify(token) {
      let known = remembered.get(token);
      if (known === undefined) {
        known = await verify(token).catch((error: Error) => {
          throw unauthorized(`The Entra token is not valid here: ${error.message}.`);
        });
        if (remembered.size >= maxRemembered) remembered.clear();
        remembered.set(token, known);
      }
      if (known.endsAt <= Date.now()) {
        remembered.delete(token);
        throw unauthorized('The Entra token is out of time.');
      }
      return {
        oid: known.oid,
        role: Object.hasOwn(config.principals, known.oid) ? config.principals[known.oid] : undefined,
      };
    },
  };
}

async function keySource({ jwksUrl, caFile }: EntraConfig): Promise<JWTVerifyGetKey> {
  if (!/^https?:\/\//.test(jwksUrl)) {
    const path = jwksUrl.startsWith('file:') ? new URL(jwksUrl) : jwksUrl;
    return createLocalJWKSet(JSON.parse(await readFile(path, 'utf8')) as JSONWebKeySet);
  }
  const url = new URL(jwksUrl);
  if (caFile === undefined) return createRemoteJWKSet(url);
  const ca = await readFile(caFile, 'utf8');
  return createRemoteJWKSet(url, { [customFetch]: (address) => fetchTrusting(ca, address) });
}

/** The global fetch cannot be told which authority to trust for one address. */
function fetchTrusting(ca: string, address: string): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = get(address, { ca, timeout: 5000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve(new Response(Buffer.concat(chunks), { status: response.statusCode ?? 500 })),
      );
    });
    request.on('error', reject);
    request.on('timeout', () => request.destroy(new Error(`${address} did not answer within 5 s`)));
  });
}
