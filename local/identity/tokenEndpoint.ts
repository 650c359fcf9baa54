import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { DeviceCodes } from './deviceCodes.ts';
import { OAuthError } from './oauthError.ts';
import { resourceOfScope } from './resources.ts';
import type { Application, Seed, Tenant, User } from './seed.ts';
import { findUser } from './seed.ts';
import { type TokenIssuer, tokenLifetime } from './tokens.ts';

const deviceCodeGrant = 'urn:ietf:params:oauth:grant-type:device_code';

/** What Microsoft's client library sends instead; Entra takes both. */
const shortDeviceCodeGrant = 'device_code';

export interface TokenEndpoint {
  readonly seed: Seed;
  readonly issuer: TokenIssuer;
  readonly deviceCodes: DeviceCodes;
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
      const application = authenticate(tenant, form, headers);
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
      return await userTokens(endpoint, tenant, user, clientId, signIn.scope);
    }
    case 'refresh_token': {
      const clientId = publicClient(endpoint.seed, form);
      const oid = await endpoint.issuer.readRefreshToken(required(form, 'refresh_token'), tenant, clientId);
      const user = findUser(tenant, oid);
      if (user === undefined)
        throw new OAuthError(400, 'invalid_grant', 50034, 'The user account does not exist.');
      return await userTokens(endpoint, tenant, user, clientId, required(form, 'scope'));
    }
    default:
      throw new OAuthError(
        400,
        'unsupported_grant_type',
        70003,
        `The grant type "${grant ?? ''}" is not supported here. Use client_credentials, ${deviceCodeGrant} or refresh_token.`,
      );
  }
}

async function userTokens(
  { seed, issuer }: TokenEndpoint,
  tenant: Tenant,
  user: User,
  clientId: string,
  scope: string,
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
    ...(asked.has('openid') ? { id_token: await issuer.idToken(tenant, user, clientId) } : {}),
    ...(asked.has('offline_access')
      ? { refresh_token: await issuer.refreshToken(tenant, user, clientId) }
      : {}),
  };
}

/** Gives the client id of a known public client. */
export function publicClient(seed: Seed, form: URLSearchParams): string {
  const clientId = required(form, 'client_id');
  if (!seed.publicClients.some((client) => client.clientId === clientId)) {
    throw new OAuthError(
      400,
      'unauthorized_client',
      700016,
      `Application with identifier '${clientId}' is not a public client of this directory.`,
    );
  }
  return clientId;
}

export function required(form: URLSearchParams, name: string): string {
  const value = form.get(name);
  if (value === null || value === '') {
    throw new OAuthError(
      400,
      'invalid_request',
      900144,
      `The request body must contain the parameter '${name}'.`,
    );
  }
  return value;
}

function authenticate(tenant: Tenant, form: URLSearchParams, headers: IncomingHttpHeaders): Application {
  const { clientId, secret } = clientCredentials(form, headers);
  const application = tenant.applications.find((one) => one.clientId === clientId);
  if (application === undefined) {
    throw new OAuthError(
      400,
      'unauthorized_client',
      700016,
      `Application with identifier '${clientId}' was not found in the directory '${tenant.name}'.`,
    );
  }
  if (!equalSecrets(application.secret, secret)) {
    throw new OAuthError(401, 'invalid_client', 7000215, 'Invalid client secret provided.');
  }
  return application;
}

function clientCredentials(
  form: URLSearchParams,
  headers: IncomingHttpHeaders,
): { clientId: string; secret: string } {
  const basic = /^Basic (.+)$/i.exec(headers.authorization ?? '')?.[1];
  if (basic !== undefined) {
    const text = Buffer.from(basic, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    return {
      clientId: decodeFormValue(text.slice(0, colon)),
      secret: decodeFormValue(text.slice(colon + 1)),
    };
  }
  return { clientId: required(form, 'client_id'), secret: required(form, 'client_secret') };
}

function decodeFormValue(text: string): string {
  return new URLSearchParams(`v=${text}`).get('v') ?? '';
}

function equalSecrets(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
