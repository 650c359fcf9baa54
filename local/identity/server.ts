import { readFile } from 'node:fs/promises';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { equalSecrets } from './equalSecrets.ts';
import { createDeviceCodes, deviceCodeLifetime, pollInterval } from './deviceCodes.ts';
import { createAuthorizationCodes } from './authorizationCodes.ts';
import { answerAuthorize } from './authorizeEndpoint.ts';
import { authorizePage, formPostPage, sendAtOnceSource } from './authorizePage.ts';
import { publicClient, required } from './clients.ts';
import { devicePage } from './devicePage.ts';
import { answerManagedIdentityRequest } from './managedIdentityEndpoint.ts';
import { OAuthError } from './oauthError.ts';
import { createRefreshTokens, refreshLifetime } from './refreshTokens.ts';
import { resourceOfScope } from './resources.ts';
import { findTenant, findUser, readSeed, type Seed, type Tenant } from './seed.ts';
import { loadSigningKeys, type SigningKeys } from './signingKey.ts';
import { answerTokenRequest, type TokenEndpoint } from './tokenEndpoint.ts';
import { createSign, createTokenIssuer, issuerAt } from './tokens.ts';

export interface IdentityConfig {
  /** Folder of the signing key. */
  readonly dataDir: string;
  /** TLS port of the issuer; 0 takes a free one. */
  readonly port: number;
  /** Plain-HTTP port of the managed-identity endpoint; 0 takes a free one. */
  readonly msiPort: number;
  /** Value that callers of the managed-identity endpoint, and of `/_local/keys/roll`, must send. */
  readonly identityHeader: string;
  /** Refuses a refresh token that comes again, and ends its family. Entra does not. */
  readonly singleUseRefreshTokens?: boolean;
  readonly tls: { readonly certFile: string; readonly keyFile: string };
  /** Who exists; `seed.json` beside this file unless given. */
  readonly seedFile?: string;
}

export interface RunningIdentity {
  /** `https://localhost:PORT`, the authority host of Entra clients. */
  readonly issuerBase: string;
  /** Keys of every tenant. */
  readonly jwksUrl: string;
  /** Tenant name to issuer, as in `iss`. */
  readonly issuers: Readonly<Record<string, string>>;
  /** Value for `IDENTITY_ENDPOINT`. */
  readonly msiEndpoint: string;
  close(): Promise<void>;
}

const loopback = '127.0.0.1';
const maxBodySize = 64 * 1024;

/** Starts the issuer and the managed-identity endpoint on loopback. */
export async function startIdentity(config: IdentityConfig): Promise<RunningIdentity> {
  if (config.identityHeader === '') throw new Error('identityHeader is empty. Give a random value.');
  const seed = await readSeed(config.seedFile ?? join(import.meta.dirname, 'seed.json'));
  const keys = await loadSigningKeys(config.dataDir, refreshLifetime);
  const [cert, privateKey] = await Promise.all([readFile(config.tls.certFile), readFile(config.tls.keyFile)]);

  const tlsServer = createTlsServer({ cert, key: privateKey });
  const port = await listen(tlsServer, config.port);
  const issuerBase = `https://localhost:${port}`;
  const issuerOf = issuerAt(issuerBase);
  const sign = createSign(keys);
  const issuer = createTokenIssuer(issuerOf, sign);
  const authority: Authority = {
    seed,
    issuer,
    deviceCodes: createDeviceCodes(),
    authorizationCodes: createAuthorizationCodes(),
    refreshTokens: createRefreshTokens(issuerOf, keys, sign, config.singleUseRefreshTokens ?? false),
    issuerBase,
    keys,
    identityHeader: config.identityHeader,
  };
  tlsServer.on('request', (request, response) => {
    answer(authority, request, response).catch((error: unknown) => sendFailure(response, error));
  });

  const httpServer = createHttpServer((request, response) => {
    answerManagedIdentityRequest(request, response, {
      seed,
      issuer,
      identityHeader: config.identityHeader,
    }).catch((error: unknown) => sendFailure(response, error));
  });
  let msiPort: number;
  try {
    msiPort = await listen(httpServer, config.msiPort);
  } catch (error) {
    await stop(tlsServer);
    throw error;
  }

  return {
    issuerBase,
    jwksUrl: `${issuerBase}/common/discovery/v2.0/keys`,
    issuers: Object.fromEntries(seed.tenants.map((tenant) => [tenant.name, issuer.issuerOf(tenant)])),
    msiEndpoint: `http://${loopback}:${msiPort}/msi/token`,
    close: async () => {
      await Promise.all([stop(tlsServer), stop(httpServer)]);
    },
  };
}

interface Authority extends TokenEndpoint {
  readonly issuerBase: string;
  readonly keys: SigningKeys;
  readonly identityHeader: string;
}

async function answer(
  authority: Authority,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', authority.issuerBase);
  const [tenantKey = '', ...rest] = url.pathname.split('/').filter((part) => part !== '');
  const route = `${request.method ?? ''} ${rest.join('/')}`;
  // The keys are one set for every tenant, so its address may name none.
  if (route === 'GET discovery/v2.0/keys') {
    return sendJson(response, 200, { keys: authority.keys.published() });
  }
  if (request.method === 'POST' && url.pathname === '/_local/keys/roll') {
    return rollKeys(authority, request, response);
  }
  const tenant = tenantNamed(authority.seed, tenantKey);
  switch (route) {
    case 'GET v2.0/.well-known/openid-configuration':
      return sendJson(response, 200, discovery(authority, tenant));
    case 'GET oauth2/v2.0/authorize':
      return authorize(authority, tenant, url.searchParams, response);
    case 'POST oauth2/v2.0/authorize':
      refuseOtherOrigins(authority, request);
      return authorize(authority, tenant, await readForm(request), response);
    case 'POST oauth2/v2.0/token': {
      const form = await readForm(request);
      return sendJson(response, 200, await answerTokenRequest(authority, tenant, form, request.headers));
    }
    case 'POST oauth2/v2.0/devicecode':
      return sendJson(response, 200, beginDeviceSignIn(authority, tenant, await readForm(request)));
    case 'GET device':
      return sendPage(response, 200, devicePage(tenant, url.searchParams.get('user_code') ?? '', ''));
    case 'POST device':
      refuseOtherOrigins(authority, request);
      return approveOnPage(authority, tenant, await readForm(request), response);
    case 'POST device/approve': {
      refuseOtherOrigins(authority, request);
      const body = await readJsonForm(request);
      approve(authority, tenant, body);
      return sendJson(response, 200, { approved: true });
    }
    default:
      throw new OAuthError(
        404,
        'invalid_request',
        90000,
        `There is no ${request.method} ${url.pathname} here.`,
      );
  }
}

/** For tests: the next token is signed with a new key, and the old one verifies until its last token has expired. */
async function rollKeys(
  { keys, identityHeader }: Authority,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!equalSecrets(request.headers['x-identity-header'], identityHeader)) {
    throw new OAuthError(
      401,
      'invalid_client',
      90014,
      'Rolling the keys needs the header X-IDENTITY-HEADER.',
    );
  }
  const { kid } = await keys.roll();
  sendJson(response, 200, { kid });
}

function authorize(
  { seed, authorizationCodes }: Authority,
  tenant: Tenant,
  parameters: URLSearchParams,
  response: ServerResponse,
): void {
  const answer = answerAuthorize(seed, authorizationCodes, tenant, parameters);
  if (answer.kind === 'redirect') {
    response.writeHead(302, { location: answer.to, 'cache-control': 'no-store' });
    response.end();
    return;
  }
  if (answer.kind === 'post') {
    const policy = `form-action ${new URL(answer.to).origin}; script-src ${sendAtOnceSource}`;
    sendPage(response, 200, formPostPage(answer.to, answer.fields), policy);
    return;
  }
  // The answer to the form leads there, which browsers count as a target of the form.
  const { origin } = new URL(answer.redirectUri);
  sendPage(
    response,
    200,
    authorizePage(tenant, parameters, answer.preselected),
    `form-action 'self' ${origin}`,
  );
}

function tenantNamed(seed: Seed, key: string): Tenant {
  const tenant = findTenant(seed, key);
  if (tenant === undefined) {
    throw new OAuthError(
      400,
      'invalid_request',
      90002,
      `Tenant '${key}' not found. This directory holds: ${seed.tenants.map((one) => one.name).join(', ')}.`,
    );
  }
  return tenant;
}

function discovery({ issuerBase, issuer }: Authority, tenant: Tenant): Record<string, unknown> {
  const root = `${issuerBase}/${tenant.id}`;
  return {
    issuer: issuer.issuerOf(tenant),
    token_endpoint: `${root}/oauth2/v2.0/token`,
    device_authorization_endpoint: `${root}/oauth2/v2.0/devicecode`,
    jwks_uri: `${root}/discovery/v2.0/keys`,
    authorization_endpoint: `${root}/oauth2/v2.0/authorize`,
    end_session_endpoint: `${root}/oauth2/v2.0/logout`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic'],
    code_challenge_methods_supported: ['S256'],
    response_modes_supported: ['query', 'fragment', 'form_post'],
    response_types_supported: ['code'],
    grant_types_supported: [
      'client_credentials',
      'authorization_code',
      'urn:ietf:params:oauth:grant-type:device_code',
      'refresh_token',
    ],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    scopes_supported: ['openid', 'profile', 'offline_access'],
    claims_supported: [
      'sub',
      'iss',
      'aud',
      'exp',
      'iat',
      'tid',
      'oid',
      'name',
      'preferred_username',
      'roles',
    ],
    tenant_region_scope: null,
    cloud_instance_name: new URL(issuerBase).host,
  };
}

function beginDeviceSignIn(
  authority: Authority,
  tenant: Tenant,
  form: URLSearchParams,
): Record<string, unknown> {
  const scope = required(form, 'scope');
  const clientId = publicClient(authority.seed, form);
  resourceOfScope(authority.seed, scope);
  const signIn = authority.deviceCodes.begin({ tenant, clientId, scope });
  const page = `${authority.issuerBase}/${tenant.id}/device`;
  return {
    user_code: signIn.userCode,
    device_code: signIn.deviceCode,
    verification_uri: page,
    verification_uri_complete: `${page}?user_code=${signIn.userCode}`,
    expires_in: deviceCodeLifetime,
    interval: pollInterval,
    message: `To sign in, open ${page} in a browser and enter the code ${signIn.userCode}.`,
  };
}

function approve(authority: Authority, tenant: Tenant, form: URLSearchParams): string {
  const name = required(form, 'user');
  const user = findUser(tenant, name);
  if (user === undefined) {
    throw new OAuthError(
      400,
      'invalid_grant',
      50034,
      `The user account ${name} does not exist in ${tenant.name}.`,
    );
  }
  authority.deviceCodes.approve(tenant, required(form, 'user_code'), user);
  return user.displayName;
}

function approveOnPage(
  authority: Authority,
  tenant: Tenant,
  form: URLSearchParams,
  response: ServerResponse,
): void {
  try {
    const name = approve(authority, tenant, form);
    sendPage(response, 200, devicePage(tenant, '', `Signed in as ${name}. You can close this page.`));
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    sendPage(response, error.status, devicePage(tenant, form.get('user_code') ?? '', error.message));
  }
}

/** No password stands between a code and a user, so at least no other site's page may send the form. */
function refuseOtherOrigins(authority: Authority, request: IncomingMessage): void {
  const { origin } = request.headers;
  if (origin !== undefined && origin !== authority.issuerBase) {
    throw new OAuthError(403, 'access_denied', 90014, `A page of ${origin} may not sign anyone in here.`);
  }
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  return new URLSearchParams(await readBody(request));
}

async function readJsonForm(request: IncomingMessage): Promise<URLSearchParams> {
  const text = await readBody(request);
  try {
    const body = JSON.parse(text) as Record<string, unknown>;
    const texts = Object.entries(body).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    return new URLSearchParams(texts);
  } catch {
    throw new OAuthError(400, 'invalid_request', 90014, 'The body is not a JSON object.');
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size > maxBodySize)
      throw new OAuthError(413, 'invalid_request', 90015, 'The request body is too large.');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

function sendPage(
  response: ServerResponse,
  status: number,
  html: string,
  policy = "form-action 'self'",
): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': `default-src 'none'; style-src 'unsafe-inline'; ${policy}; frame-ancestors 'none'`,
  });
  response.end(html);
}

function sendFailure(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy();
  if (error instanceof OAuthError) return sendJson(response, error.status, error.toBody());
  process.stderr.write(
    `identity: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  sendJson(response, 500, {
    error: 'server_error',
    error_description: 'The issuer failed; its log says why.',
  });
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, loopback, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

async function stop(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
