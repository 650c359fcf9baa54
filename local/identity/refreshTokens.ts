import { randomUUID } from 'node:crypto';
import { createLocalJWKSet, type JWTPayload, jwtVerify } from 'jose';
import { OAuthError } from './oauthError.ts';
import type { Tenant, User } from './seed.ts';
import type { SigningKeys } from './signingKey.ts';
import type { Sign } from './tokens.ts';

/** Seconds that a refresh token is valid. */
export const refreshLifetime = 24 * 3600;

/** What is kept from one refresh to the next. */
export interface Grant {
  readonly oid: string;
  readonly scope: string;
  /** Common to all refresh tokens of one sign-in. */
  readonly family: string;
}

export interface RefreshTokens {
  issue(tenant: Tenant, user: User, clientId: string, scope: string, family?: string): Promise<string>;
  /** Gives what the token was made for. Throws OAuthError when it is not acceptable. */
  redeem(token: string, tenant: Tenant, clientId: string): Promise<Grant>;
  /** No refresh token of the family is good any more. */
  revoke(family: string): void;
}

/** Ends up in no resource's list of audiences, so a refresh token never passes for an access token. */
const audience = 'urn:refresh-token';
const type = 'refresh+jwt';

/**
 * Every use gives a new token. Like Entra's, the old one stays good until it expires, unless `singleUse`: then one that
 * comes again ends its whole family. What was used is known until the next restart.
 */
export function createRefreshTokens(
  issuerOf: (tenant: Tenant) => string,
  keys: SigningKeys,
  sign: Sign,
  singleUse: boolean,
): RefreshTokens {
  const used = new Set<string>();
  const revoked = new Set<string>();
  const refused = () =>
    new OAuthError(400, 'invalid_grant', 70008, 'The refresh token is not valid (any more). Sign in again.');

  return {
    issue: (tenant, user, clientId, scope, family = randomUUID()) =>
      sign(
        {
          iss: issuerOf(tenant),
          aud: audience,
          sub: user.oid,
          azp: clientId,
          jti: randomUUID(),
          scope,
          family,
        },
        refreshLifetime,
        type,
      ),

    async redeem(token, tenant, clientId) {
      const payload = await verified(token, issuerOf(tenant), keys);
      if (!payload || payload.azp !== clientId) throw refused();
      const { sub, jti = '', scope = '', family = '' } = payload as JWTPayload & Partial<Grant>;
      if (sub === undefined || revoked.has(family)) throw refused();
      if (singleUse && used.has(jti)) {
        revoked.add(family);
        throw refused();
      }
      if (singleUse) used.add(jti);
      return { oid: sub, scope, family };
    },

    revoke: (family) => {
      revoked.add(family);
    },
  };
}

async function verified(token: string, issuer: string, keys: SigningKeys): Promise<JWTPayload | undefined> {
  try {
    const set = createLocalJWKSet({ keys: keys.published() });
    return (await jwtVerify(token, set, { issuer, audience, typ: type })).payload;
  } catch {
    return undefined;
  }
}
