import type { AuthorizationCodes } from './authorizationCodes.ts';
import { type Client, clientNamed, isRedirectUriOf, required } from './clients.ts';
import { OAuthError } from './oauthError.ts';
import { resourceOfScope } from './resources.ts';
import { findUser, type Seed, type Tenant } from './seed.ts';

/** What to do with a request for authorization. */
export type AuthorizeAnswer =
  | { readonly kind: 'ask'; readonly preselected: string | undefined; readonly redirectUri: string }
  | { readonly kind: 'redirect'; readonly to: string }
  | { readonly kind: 'post'; readonly to: string; readonly fields: URLSearchParams };

/**
 * Answers `GET` and `POST /{tenant}/oauth2/v2.0/authorize`; the parameter `user` is what the page adds. Throws OAuthError
 * when the client or the redirect address is wrong: then nobody may be sent there.
 */
export function answerAuthorize(
  seed: Seed,
  codes: AuthorizationCodes,
  tenant: Tenant,
  parameters: URLSearchParams,
): AuthorizeAnswer {
  const client = clientNamed(seed, tenant, required(parameters, 'client_id'));
  const redirectUri = required(parameters, 'redirect_uri');
  if (!isRedirectUriOf(client, redirectUri)) {
    throw new OAuthError(
      400,
      'invalid_request',
      50011,
      `The redirect URI '${redirectUri}' specified in the request does not match the redirect URIs configured for the ` +
        `application '${client.clientId}'.`,
    );
  }
  try {
    return proceed(seed, codes, tenant, client, redirectUri, parameters);
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    return back(redirectUri, parameters, {
      error: error.error,
      error_description: String(error.toBody().error_description),
    });
  }
}

function proceed(
  seed: Seed,
  codes: AuthorizationCodes,
  tenant: Tenant,
  client: Client,
  redirectUri: string,
  parameters: URLSearchParams,
): AuthorizeAnswer {
  const refuse = (error: string, number: number, text: string) => new OAuthError(400, error, number, text);
  const responseType = required(parameters, 'response_type');
  if (responseType !== 'code') {
    throw refuse(
      'unsupported_response_type',
      700054,
      `The response_type '${responseType}' is not supported here.`,
    );
  }
  if (!['query', 'fragment', 'form_post'].includes(parameters.get('response_mode') ?? 'query')) {
    throw refuse('invalid_request', 90012, 'response_mode is query, fragment or form_post.');
  }
  const scope = required(parameters, 'scope');
  resourceOfScope(seed, scope);
  const challenge = challengeOf(client, parameters);
  const name = parameters.get('user');
  if (name === null) {
    if (parameters.get('prompt') === 'none') {
      throw refuse('interaction_required', 50058, 'Nobody is signed in, and the request forbids to ask.');
    }
    const preselected = findUser(tenant, parameters.get('login_hint') ?? '')?.name;
    return { kind: 'ask', preselected, redirectUri };
  }
  const user = findUser(tenant, name);
  if (user === undefined) {
    throw refuse('access_denied', 50034, `The user account ${name} does not exist in ${tenant.name}.`);
  }
  const nonce = parameters.get('nonce');
  const code = codes.issue({
    tenant,
    clientId: client.clientId,
    redirectUri,
    scope,
    user,
    ...(challenge === undefined ? {} : { challenge }),
    ...(nonce === null ? {} : { nonce }),
  });
  return back(redirectUri, parameters, { code });
}

/** Public clients must use PKCE, since nothing else tells who redeems the code. */
function challengeOf({ application }: Client, parameters: URLSearchParams): string | undefined {
  const challenge = parameters.get('code_challenge');
  if (challenge === null) {
    if (application !== undefined) return undefined;
    throw new OAuthError(400, 'invalid_request', 9002325, 'Proof Key for Code Exchange is required here.');
  }
  if (parameters.get('code_challenge_method') !== 'S256' || !/^[\w-]{43}$/.test(challenge)) {
    throw new OAuthError(
      400,
      'invalid_request',
      501491,
      'code_challenge must be a SHA-256 in base64url, and code_challenge_method S256.',
    );
  }
  return challenge;
}

function back(
  redirectUri: string,
  parameters: URLSearchParams,
  result: Readonly<Record<string, string>>,
): AuthorizeAnswer {
  const to = new URL(redirectUri);
  const state = parameters.get('state');
  const answer = new URLSearchParams({ ...result, ...(state === null ? {} : { state }) });
  const mode = parameters.get('response_mode');
  if (mode === 'form_post') return { kind: 'post', to: redirectUri, fields: answer };
  if (mode === 'fragment') to.hash = answer.toString();
  else for (const [name, value] of answer) to.searchParams.append(name, value);
  return { kind: 'redirect', to: to.href };
}
