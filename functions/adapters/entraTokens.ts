import { createRemoteJWKSet, decodeJwt, type JWTPayload, jwtVerify } from 'jose';
import type { Actor } from '../../domain/envelope.ts';

export type Right =
  | 'Basic'
  | 'Advanced'
  | 'Library.Manage'
  | 'Settings.Manage'
  | 'Devices.Manage'
  | 'History.Read'
  | 'Devices.Read';

/** Who calls, after the token was checked. */
export interface Caller {
  readonly tenantId: string;
  readonly actor: Actor;
  readonly rights: ReadonlySet<Right>;
}

/** Our own app roles, and Defender's names for the same rights. */
const rightsOfRole: Readonly<Record<string, readonly Right[]>> = {
  'LiveResponse.Basic': ['Basic', 'Devices.Read', 'History.Read'],
  'LiveResponse.Advanced': ['Basic', 'Advanced', 'Devices.Read', 'History.Read'],
  'Library.Manage': ['Library.Manage'],
  'Settings.Manage': ['Settings.Manage'],
  'Devices.Manage': ['Devices.Manage', 'Devices.Read'],
  'History.Read': ['History.Read'],
  'Machine.LiveResponse': ['Basic', 'Advanced', 'Devices.Read', 'History.Read'],
  'Machine.Read.All': ['Devices.Read'],
};

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/** Verifies Entra access tokens (v2.0) of the allowed tenants. */
export class EntraTokens {
  readonly #authority: string;
  readonly #audiences: readonly string[];
  readonly #tenants: ReadonlySet<string>;
  readonly #keys = new Map<string, ReturnType<typeof createRemoteJWKSet>>();

  constructor(authority: string, audiences: readonly string[], tenants: readonly string[]) {
    this.#authority = authority.replace(/\/$/, '');
    this.#audiences = audiences;
    this.#tenants = new Set(tenants);
  }

  /** Undefined for every token that may not be trusted; the reason is not for the caller. */
  async verify(token: string): Promise<Caller | undefined> {
    try {
      const tenantId = text(decodeJwt(token)['tid']);
      // The tenant picks the keys, so it is checked first; the signature then proves it.
      if (tenantId === undefined || !this.#tenants.has(tenantId)) return undefined;
      const { payload } = await jwtVerify(token, this.#keysOf(tenantId), {
        issuer: `${this.#authority}/${tenantId}/v2.0`,
        audience: [...this.#audiences],
        algorithms: ['RS256'],
        clockTolerance: 60,
        requiredClaims: ['exp', 'oid'],
      });
      return callerFrom(tenantId, payload);
    } catch (error) {
      if (isUnreachable(error)) throw error;
      return undefined;
    }
  }

  #keysOf(tenantId: string): ReturnType<typeof createRemoteJWKSet> {
    let keys = this.#keys.get(tenantId);
    if (keys === undefined) {
      keys = createRemoteJWKSet(new URL(`${this.#authority}/${tenantId}/discovery/v2.0/keys`), {
        timeoutDuration: 10_000,
      });
      this.#keys.set(tenantId, keys);
    }
    return keys;
  }
}

/** The identity provider did not answer: not the caller's fault, so not an answer about the token. */
const isUnreachable = (error: unknown): boolean =>
  error instanceof TypeError ||
  (error instanceof Error && 'code' in error && error.code === 'ERR_JWKS_TIMEOUT');

const callerFrom = (tenantId: string, payload: JWTPayload): Caller | undefined => {
  const oid = text(payload['oid']);
  if (oid === undefined) return undefined;
  const roles = Array.isArray(payload['roles']) ? payload['roles'] : [];
  const rights = new Set(
    roles.flatMap((role) => (typeof role === 'string' ? (rightsOfRole[role] ?? []) : [])),
  );
  const isUser = text(payload['scp']) !== undefined;
  const name = isUser
    ? (text(payload['preferred_username']) ?? text(payload['name']) ?? oid)
    : (text(payload['app_displayname']) ?? text(payload['azp']) ?? oid);
  return { tenantId, rights, actor: { kind: isUser ? 'user' : 'application', id: oid, name } };
};
