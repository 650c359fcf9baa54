import type { IncomingHttpHeaders } from 'node:http';
import { equalSecrets } from './equalSecrets.ts';
import { OAuthError } from './oauthError.ts';
import type { Application, Seed, Tenant } from './seed.ts';

/** An application as the endpoints see it; only those with a secret are confidential. */
export interface Client {
  readonly clientId: string;
  readonly redirectUris: readonly string[];
  readonly application?: Application;
}

/** Finds an application of the tenant, or a public client, which is known in every tenant. Throws OAuthError. */
export function clientNamed(seed: Seed, tenant: Tenant, clientId: string): Client {
  const application = tenant.applications.find((one) => one.clientId === clientId);
  const known = application ?? seed.publicClients.find((one) => one.clientId === clientId);
  if (known === undefined) {
    throw new OAuthError(
      400,
      'unauthorized_client',
      700016,
      `Application with identifier '${clientId}' was not found in the directory '${tenant.name}'.`,
    );
  }
  return {
    clientId,
    redirectUris: known.redirectUris ?? [],
    ...(application ? { application } : {}),
  };
}

/** Finds who asks for tokens; one with a secret must prove it. Throws OAuthError. */
export function authenticatedClient(
  seed: Seed,
  tenant: Tenant,
  form: URLSearchParams,
  headers: IncomingHttpHeaders,
): Client {
  const { clientId, secret } = credentials(form, headers);
  const client = clientNamed(seed, tenant, clientId);
  const wanted = client.application?.secret;
  if (wanted === undefined) return client;
  if (secret === undefined) {
    throw new OAuthError(
      401,
      'invalid_client',
      7000218,
      "The request body must contain the parameter 'client_secret'.",
    );
  }
  if (!equalSecrets(wanted, secret)) {
    throw new OAuthError(401, 'invalid_client', 7000215, 'Invalid client secret provided.');
  }
  return client;
}

/** Entra's rule for loopback: the port may be any. */
export function isRedirectUriOf({ redirectUris }: Client, uri: string): boolean {
  if (redirectUris.includes(uri)) return true;
  const withoutPort = uri
    .replace(/^(http:\/\/(?:localhost|127\.0\.0\.1)):\d+(?=\/|$)/, '$1')
    .replace(/\/$/, '');
  return redirectUris.some((known) => isLoopback(known) && known.replace(/\/$/, '') === withoutPort);
}

/** Gives the client id of a known public client. Throws OAuthError. */
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

/** Throws OAuthError when the parameter is missing or empty. */
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

const isLoopback = (uri: string): boolean => /^http:\/\/(localhost|127\.0\.0\.1)(?=\/|$)/.test(uri);

function credentials(
  form: URLSearchParams,
  headers: IncomingHttpHeaders,
): { readonly clientId: string; readonly secret?: string } {
  const basic = /^Basic (.+)$/i.exec(headers.authorization ?? '')?.[1];
  if (basic !== undefined) {
    const text = Buffer.from(basic, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    return {
      clientId: decodeFormValue(text.slice(0, colon)),
      secret: decodeFormValue(text.slice(colon + 1)),
    };
  }
  const secret = form.get('client_secret');
  return { clientId: required(form, 'client_id'), ...(secret === null ? {} : { secret }) };
}

function decodeFormValue(text: string): string {
  return new URLSearchParams(`v=${text}`).get('v') ?? '';
}
