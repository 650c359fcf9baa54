import { createHash, randomUUID } from 'node:crypto';
import { type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { OAuthError } from './oauthError.ts';
import type { Resource } from './resources.ts';
import type { Api, Tenant, User } from './seed.ts';
import { userPrincipalName } from './seed.ts';
import type { SigningKey } from './signingKey.ts';

/** Seconds that access and id tokens are valid. */
export const tokenLifetime = 3600;
const refreshLifetime = 24 * 3600;
/** Ends up in no resource's list of audiences, so a refresh token never passes for an access token. */
const refreshAudience = 'urn:refresh-token';

/** An application or a managed identity as a token's subject. */
export interface ServicePrincipal {
  readonly clientId: string;
  readonly oid: string;
  readonly roles: readonly string[];
}

export interface TokenIssuer {
  issuerOf(tenant: Tenant): string;
  forServicePrincipal(tenant: Tenant, principal: ServicePrincipal, resource: Resource): Promise<string>;
  forUser(tenant: Tenant, user: User, clientId: string, resource: Resource): Promise<string>;
  idToken(tenant: Tenant, user: User, clientId: string): Promise<string>;
  refreshToken(tenant: Tenant, user: User, clientId: string): Promise<string>;
  /** Gives the object id of the user a refresh token was made for. Throws OAuthError when it is not acceptable. */
  readRefreshToken(token: string, tenant: Tenant, clientId: string): Promise<string>;
}

export function createTokenIssuer(base: string, api: Api, key: SigningKey): TokenIssuer {
  const issuerOf = (tenant: Tenant) => `${base}/${tenant.id}/v2.0`;

  const sign = (claims: JWTPayload, lifetime = tokenLifetime, typ = 'JWT') => {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ ...claims, iat: now, nbf: now, exp: now + lifetime })
      .setProtectedHeader({ alg: 'RS256', kid: key.kid, typ })
      .sign(key.privateKey);
  };

  /** Azurite accepts only the issuer of version 1 tokens, which is what Entra itself uses for storage. */
  const accessClaims = (tenant: Tenant, resource: Resource, clientId: string): JWTPayload => ({
    aud: resource.audience,
    tid: tenant.id,
    jti: randomUUID(),
    ...(resource.kind === 'storage'
      ? { iss: `https://sts.windows.net/${tenant.id}/`, ver: '1.0', appid: clientId }
      : { iss: issuerOf(tenant), ver: '2.0', azp: clientId }),
  });

  return {
    issuerOf,

    forServicePrincipal: (tenant, principal, resource) =>
      sign({
        ...accessClaims(tenant, resource, principal.clientId),
        oid: principal.oid,
        sub: principal.oid,
        idtyp: 'app',
        ...(resource.kind === 'api' && principal.roles.length > 0 ? { roles: principal.roles } : {}),
      }),

    forUser: (tenant, user, clientId, resource) =>
      sign({
        ...accessClaims(tenant, resource, clientId),
        ...personClaims(tenant, user, resource.audience),
        scp: resource.kind === 'api' ? api.scopes.join(' ') : 'user_impersonation',
        ...(resource.kind === 'api' && user.roles.length > 0 ? { roles: user.roles } : {}),
      }),

    idToken: (tenant, user, clientId) =>
      sign({
        iss: issuerOf(tenant),
        aud: clientId,
        tid: tenant.id,
        ver: '2.0',
        ...personClaims(tenant, user, clientId),
      }),

    refreshToken: (tenant, user, clientId) =>
      sign(
        { iss: issuerOf(tenant), aud: refreshAudience, sub: user.oid, azp: clientId, jti: randomUUID() },
        refreshLifetime,
        'refresh+jwt',
      ),

    async readRefreshToken(token, tenant, clientId) {
      const refused = () =>
        new OAuthError(
          400,
          'invalid_grant',
          70008,
          'The refresh token is not valid (any more). Sign in again.',
        );
      const { payload } = await jwtVerify(token, key.publicJwk, {
        issuer: issuerOf(tenant),
        audience: refreshAudience,
        typ: 'refresh+jwt',
      }).catch(() => {
        throw refused();
      });
      if (payload.azp !== clientId || payload.sub === undefined) throw refused();
      return payload.sub;
    },
  };
}

function personClaims(tenant: Tenant, user: User, audience: string): JWTPayload {
  return {
    oid: user.oid,
    // Like Entra's, the subject differs per audience; code that wants the person must use `oid`.
    sub: createHash('sha256').update(`${user.oid}|${audience}`).digest('base64url'),
    name: user.displayName,
    preferred_username: userPrincipalName(tenant, user),
  };
}
