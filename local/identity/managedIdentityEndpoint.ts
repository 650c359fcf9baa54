import type { IncomingMessage, ServerResponse } from 'node:http';
import { equalSecrets } from './equalSecrets.ts';
import { OAuthError } from './oauthError.ts';
import { findResource } from './resources.ts';
import type { ManagedIdentity, Seed, Tenant } from './seed.ts';
import { type TokenIssuer, tokenLifetime } from './tokens.ts';

const supportedVersion = '2019-08-01';

/**
 * Answers what App Service answers at `IDENTITY_ENDPOINT`. The secret header is what keeps other programs of the
 * machine, and web pages, from fetching tokens here.
 */
export async function answerManagedIdentityRequest(
  request: IncomingMessage,
  response: ServerResponse,
  { seed, issuer, identityHeader }: { seed: Seed; issuer: TokenIssuer; identityHeader: string },
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const refuse = (status: number, code: string, message: string) =>
    sendJson(response, status, { statusCode: status, message, error: { code, message } });

  if (url.pathname !== '/msi/token' || request.method !== 'GET') {
    return refuse(404, 'NotFound', 'The managed-identity endpoint is GET /msi/token.');
  }
  if (!equalSecrets(request.headers['x-identity-header'], identityHeader)) {
    return refuse(
      401,
      'Unauthorized',
      'The header X-IDENTITY-HEADER is missing or wrong. Send the value of IDENTITY_HEADER.',
    );
  }
  const version = url.searchParams.get('api-version');
  if (version !== supportedVersion) {
    return refuse(
      400,
      'UnsupportedApiVersion',
      `api-version ${version} is not supported here. Use ${supportedVersion}.`,
    );
  }
  const resourceName = url.searchParams.get('resource');
  if (resourceName === null) return refuse(400, 'InvalidRequest', 'The parameter resource is missing.');
  const clientId = url.searchParams.get('client_id');
  const found = findIdentity(seed, clientId);
  if (found === undefined) {
    return refuse(400, 'IdentityNotFound', `No managed identity has the client id ${clientId}.`);
  }
  try {
    const resource = findResource(seed, resourceName);
    const principal = { ...found.identity, roles: [] };
    sendJson(response, 200, {
      access_token: await issuer.forServicePrincipal(found.tenant, principal, resource),
      client_id: found.identity.clientId,
      expires_on: String(Math.floor(Date.now() / 1000) + tokenLifetime),
      resource: resourceName,
      token_type: 'Bearer',
    });
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    refuse(error.status, error.error, error.message);
  }
}

/** Without a client id: the first identity of the seed, as a system-assigned one would be. */
function findIdentity(
  seed: Seed,
  clientId: string | null,
): { tenant: Tenant; identity: ManagedIdentity } | undefined {
  for (const tenant of seed.tenants) {
    const identity = tenant.managedIdentities.find((one) => clientId === null || one.clientId === clientId);
    if (identity !== undefined) return { tenant, identity };
  }
  return undefined;
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
