import { createHash, randomUUID } from 'node:crypto';
import { type JWTPayload, SignJWT } from 'jose';
import type { RequestedResource, Resource } from './resources.ts';
import type { Tenant, User } from './seed.ts';
import { userPrincipalName } from './seed.ts';
import type { SigningKeys } from './signingKey.ts';

/** Seconds that access and id tokens are valid. */
export const tokenLifetime = 3600;

/** Signs claims with the current key; `lifetime` in seconds. */
export type Sign = (claims: JWTPayload, lifetime?: number, typ?: string) => Promise<string>;

/** An application or a managed identity as a token's subject. */
export interface ServicePrincipal {
  readonly clientId: string;
  readonly oid: string;
  readonly roles: readonly string[];
}

export interface TokenIssuer {
  issuerOf(tenant: Tenant): string;
  forServicePrincipal(tenant: Tenant, principal: ServicePrincipal, resource: Resource): Promise<string>;
  forUser(tenant: Tenant, user: User, clientId: string, resource: RequestedResource): Promise<string>;
  /** `nonce` ties it to the request for it. */
  idToken(tenant: Tenant, user: User, clientId: string, nonce?: string): Promise<string>;
}

export const createSign =
  (keys: SigningKeys): Sign =>
  (claims, lifetime = tokenLifetime, typ = 'JWT') => {
    const { kid, privateKey } = keys.current();
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ ...claims, iat: now, nbf: now, exp: now + lifetime })
      .setProtectedHeader({ alg: 'RS256', kid, typ })
      .sign(privateKey);
  };

/** Entra's name of a tenant as an issuer. */
export const issuerAt =
  (base: string) =>
  (tenant: Tenant): string =>
    `${base}/${tenant.id}/v2.0`;

export function createTokenIssuer(issuerOf: (tenant: Tenant) => string, sign: Sign): TokenIssuer {
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
        scp: resource.permissions.join(' '),
        ...(resource.kind === 'api' && user.roles.length > 0 ? { roles: user.roles } : {}),
      }),

    idToken: (tenant, user, clientId, nonce) =>
      sign({
        iss: issuerOf(tenant),
        aud: clientId,
        tid: tenant.id,
        ver: '2.0',
        ...personClaims(tenant, user, clientId),
        ...(nonce === undefined ? {} : { nonce }),
      }),
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
