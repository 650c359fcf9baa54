import type { IncomingHttpHeaders } from 'node:http';
import type { AuthorizationCodes } from './authorizationCodes.ts';
import { authenticatedClient, publicClient, required } from './clients.ts';
import type { DeviceCodes } from './deviceCodes.ts';
import { OAuthError } from './oauthError.ts';
import type { RefreshTokens } from './refreshTokens.ts';
import { resourceOfScope } from './resources.ts';
import { findUser, type Seed, type Tenant, type User } from './seed.ts';
import { type TokenIssuer, tokenLifetime } from './tokens.ts';

const deviceCodeGrant = 'urn:ietf:params:oauth:grant-type:device_code';

/** What Microsoft's client library sends instead; Entra takes both. */
const shortDeviceCodeGrant = 'device_code';

export interface TokenEndpoint {
  readonly seed: Seed;
  readonly issuer: TokenIssuer;
  readonly deviceCodes: DeviceCodes;
  readonly authorizationCodes: AuthorizationCodes;
  readonly refreshTokens: RefreshTokens;
}

/** Answers `POST /{tenant}/oauth2/v2.0/token`. Throws OAuthError when it gives no token. */
export async function answerTokenRequest(
  endpoint: TokenEndpoint,
  tenant: Tenant,
  form: URLSearchParams,
  headers: IncomingHttpHeaders,
): Promise<Record<string, unknown>> {
  const grant = form.get('grant_type');
  switch (grant) {
    case 'client_credentials': {
      const { application } = authenticatedClient(endpoint.seed, tenant, form, headers);
      if (application === undefined) {
        throw new OAuthError(401, 'invalid_client', 700025, 'A public client has no credentials of its own.');
      }
      const scope = required(form, 'scope');
      const resource = resourceOfScope(endpoint.seed, scope);
      const token = await endpoint.issuer.forServicePrincipal(tenant, application, resource);
      return {
        token_type: 'Bearer',
        expires_in: tokenLifetime,
        ext_expires_in: tokenLifetime,
        access_token: token,
      };
    }
    case deviceCodeGrant:
    case shortDeviceCodeGrant: {
      const clientId = publicClient(endpoint.seed, form);
      const { signIn, user } = endpoint.deviceCodes.redeem(tenant, required(form, 'device_code'), clientId);
      return await userTokens(endpoint, { tenant, user, clientId, scope: signIn.scope });
    }
    case 'authorization_code': {
      const { clientId } = authenticatedClient(endpoint.seed, tenant, form, headers);
      const redemption = {
        tenant,
        clientId,
        redirectUri: required(form, 'redirect_uri'),
        verifier: form.get('code_verifier') ?? undefined,
      };
      const signIn = endpoint.authorizationCodes.redeem(required(form, 'code'), redemption, (family) =>
        endpoint.refreshTokens.revoke(family),
      );
      return await userTokens(endpoint, signIn);
    }
    case 'refresh_token': {
      const { clientId } = authenticatedClient(endpoint.seed, tenant, form, headers);
      const token = required(form, 'refresh_token');
      const grant = await endpoint.refreshTokens.redeem(token, tenant, clientId);
      const user = findUser(tenant, grant.oid);
      if (user === undefined)
        throw new OAuthError(400, 'invalid_grant', 50034, 'The user account does not exist.');
      const asked = form.get('scope') ?? grant.scope;
      // A refresh always brings the next refresh token, whether it is asked for or not.
      const scope = asked.split(/\s+/).includes('offline_access') ? asked : `${asked} offline_access`;
      return await userTokens(endpoint, { tenant, user, clientId, scope, family: grant.family });
    }
    default:
      throw new OAuthError(
        400,
        'unsupported_grant_type',
        70003,
        `The grant type "${grant ?? ''}" is not supported here. Use client_credentials, authorization_code, ${deviceCodeGrant} or refresh_token.`,
      );
  }
}

interface UserTokenRequest {
  readonly tenant: Tenant;
  readonly user: User;
  readonly clientId: string;
  readonly scope: string;
  readonly nonce?: string;
  readonly family?: string;
}

async function userTokens(
  { seed, issuer, refreshTokens }: TokenEndpoint,
  { tenant, user, clientId, scope, nonce, family }: UserTokenRequest,
): Promise<Record<string, unknown>> {
  const resource = resourceOfScope(seed, scope);
  const asked = new Set(scope.split(/\s+/));
  const clientInfo = Buffer.from(JSON.stringify({ uid: user.oid, utid: tenant.id })).toString('base64url');
  return {
    token_type: 'Bearer',
    scope,
    expires_in: tokenLifetime,
    ext_expires_in: tokenLifetime,
    access_token: await issuer.forUser(tenant, user, clientId, resource),
    client_info: clientInfo,
    ...(asked.has('openid') ? { id_token: await issuer.idToken(tenant, user, clientId, nonce) } : {}),
    ...(asked.has('offline_access')
      ? { refresh_token: await refreshTokens.issue(tenant, user, clientId, scope, family) }
      : {}),
  };
}
