import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { AuthorizationCodeCredential } from '@azure/identity';
import { PublicClientApplication } from '@azure/msal-node';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSeed, type Seed, type Tenant } from '../seed.ts';
import { startedIdentity } from './startedIdentity.ts';

let identity: Awaited<ReturnType<typeof startedIdentity>>;
let seed: Seed;
let contoso: Tenant;
beforeAll(async () => {
  identity = await startedIdentity();
  seed = await readSeed(join(import.meta.dirname, '..', 'seed.json'));
  const [first] = seed.tenants;
  if (first === undefined) throw new Error('The seed has no tenant.');
  contoso = first;
});
afterAll(() => identity.close());

const apiScope = 'api://live-response/user_impersonation';
const redirectUri = 'http://localhost:51234';
const lr = () => seed.publicClients[0]?.clientId ?? '';
const verifier = () => randomBytes(32).toString('base64url');
const challengeOf = (text: string) => createHash('sha256').update(text).digest('base64url');

/** Parameters of a correct request for authorization; undefined leaves one out. */
function parameters(
  proof: string,
  changes: Readonly<Record<string, string | undefined>> = {},
): URLSearchParams {
  const all = {
    client_id: lr(),
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: `${apiScope} openid offline_access`,
    state: 'state & more',
    nonce: 'n-1',
    code_challenge: challengeOf(proof),
    code_challenge_method: 'S256',
    ...changes,
  };
  return new URLSearchParams(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

const address = (tenant = 'contoso') => `${identity.issuerBase}/${tenant}/oauth2/v2.0/authorize`;

/** Sends the page's form as `user` and gives where it leads. */
async function signIn(user: string, form: URLSearchParams, tenant?: string): Promise<URL> {
  form.set('user', user);
  const response = await fetch(address(tenant), { method: 'POST', body: form, redirect: 'manual' });
  expect(response.status).toBe(302);
  return new URL(response.headers.get('location') ?? '');
}

const codeFrom = (url: URL) => url.searchParams.get('code') ?? '';

async function token(
  form: Readonly<Record<string, string>>,
  tenant = 'contoso',
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${identity.issuerBase}/${tenant}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: lr(), ...form }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const redeem = (code: string, proof: string, changes: Readonly<Record<string, string>> = {}) =>
  token({
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUri,
    code_verifier: proof,
    ...changes,
  });

const refresh = (refreshToken: unknown, changes: Readonly<Record<string, string>> = {}, tenant?: string) =>
  token({ grant_type: 'refresh_token', refresh_token: String(refreshToken), ...changes }, tenant);

const verify = (value: unknown) =>
  jwtVerify(String(value), createRemoteJWKSet(new URL(identity.jwksUrl)), {
    issuer: identity.issuers.contoso ?? '',
  });

describe('authorization code with PKCE', () => {
  it('asks who signs in, and gives tokens for them', async () => {
    const proof = verifier();
    const form = parameters(proof, { login_hint: 'ben@contoso.example' });
    const page = await fetch(`${address()}?${form.toString()}`);
    expect(page.headers.get('content-security-policy')).toContain(`form-action 'self' ${redirectUri}`);
    const html = await page.text();
    expect(html).toMatch(/<option value="ben" selected>/);
    expect(html).toContain('name="state" value="state &#38; more"');

    const landed = await signIn('ana', form);

    expect(landed.origin).toBe(redirectUri);
    expect(landed.searchParams.get('state')).toBe('state & more');
    const { status, body } = await redeem(codeFrom(landed), proof);
    expect(status).toBe(200);
    const ana = contoso.users.find(({ name }) => name === 'ana');
    const access = await verify(body.access_token);
    expect(access.payload).toMatchObject({
      aud: seed.api.clientId,
      oid: ana?.oid,
      scp: 'user_impersonation',
    });
    const id = await verify(body.id_token);
    expect(id.payload).toMatchObject({ aud: lr(), nonce: 'n-1', name: 'Ana Duarte' });
  });

  it('takes a code once; its tokens end when it comes again', async () => {
    const proof = verifier();
    const code = codeFrom(await signIn('ana', parameters(proof)));
    const first = await redeem(code, proof);
    const second = await redeem(code, proof);
    expect([second.status, second.body.error]).toEqual([400, 'invalid_grant']);
    expect(second.body.error_description).toMatch(/AADSTS54005/);
    expect((await refresh(first.body.refresh_token)).status).toBe(400);
  });

  it.each([
    ['another verifier', () => ({ code_verifier: verifier() }), /AADSTS501481/],
    ['another redirect URI', () => ({ redirect_uri: 'http://localhost:1' }), /AADSTS50011/],
  ])('gives nothing for %s, and the code stays good', async (_, changes, text) => {
    const proof = verifier();
    const code = codeFrom(await signIn('ana', parameters(proof)));
    const wrong = await redeem(code, proof, changes());
    expect(wrong.body.error_description).toMatch(text);
    expect((await redeem(code, proof)).status).toBe(200);
  });

  it('gives nothing without a verifier, in another tenant, or to another client', async () => {
    const proof = verifier();
    const code = codeFrom(await signIn('ana', parameters(proof)));
    const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri };
    expect((await token(form)).body.error_description).toMatch(/AADSTS501481/);
    expect((await token({ ...form, code_verifier: proof }, 'fabrikam')).status).toBe(400);
    const [application] = contoso.applications;
    const other = {
      ...form,
      client_id: application?.clientId ?? '',
      client_secret: application?.secret ?? '',
      code_verifier: proof,
    };
    expect((await token(other)).status).toBe(400);
  });

  it.each([
    ['http://localhost.evil.example'],
    ['https://localhost:51234'],
    ['http://localhost:51234/other'],
    ['http://user@localhost:1'],
  ])('sends nobody to %s', async (wrong) => {
    const form = parameters(verifier(), { redirect_uri: wrong });
    const response = await fetch(`${address()}?${form.toString()}`, { redirect: 'manual' });
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error_description: string }).error_description).toMatch(
      /AADSTS50011/,
    );
  });

  it.each([
    ['no PKCE', { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
    ['plain PKCE', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['an implicit grant', { response_type: 'token' }, 'unsupported_response_type'],
    ['an unknown permission', { scope: 'api://live-response/everything' }, 'invalid_scope'],
    ['a silent sign-in', { prompt: 'none' }, 'interaction_required'],
  ])('tells the application about %s, with its state', async (_, changes, error) => {
    const form = parameters(verifier(), changes);
    const response = await fetch(`${address()}?${form.toString()}`, { redirect: 'manual' });
    const landed = new URL(response.headers.get('location') ?? '');
    expect(landed.searchParams.get('error')).toBe(error);
    expect(landed.searchParams.get('state')).toBe('state & more');
  });

  it('answers in the fragment when asked, and knows only users of the tenant', async () => {
    const landed = await signIn('finn', parameters(verifier(), { response_mode: 'fragment' }), 'fabrikam');
    expect(new URLSearchParams(landed.hash.slice(1)).get('code')).toMatch(/^[\w-]{43}$/);
    const refused = await signIn('finn', parameters(verifier()));
    expect(refused.searchParams.get('error')).toBe('access_denied');
  });

  it('serves the official client of an application with a secret', async () => {
    const [application] = contoso.applications;
    if (application === undefined) throw new Error('contoso has no application.');
    const callback = 'http://localhost/callback';
    const changes = {
      client_id: application.clientId,
      redirect_uri: callback,
      nonce: undefined,
      code_challenge: undefined,
      code_challenge_method: undefined,
    };
    const code = codeFrom(await signIn('cleo', parameters('', changes)));
    const credential = new AuthorizationCodeCredential(
      contoso.id,
      application.clientId,
      application.secret,
      code,
      callback,
      { authorityHost: identity.issuerBase, disableInstanceDiscovery: true },
    );
    const { token: access } = (await credential.getToken(apiScope)) ?? { token: '' };
    expect(decodeJwt(access)).toMatchObject({ name: 'Cleo Lindqvist', azp: application.clientId });
  });
});

/** Undoes the escapes of a page. */
const plain = (text: string) =>
  text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));

describe('the official library with PKCE', () => {
  it('signs a person in through a browser', async () => {
    const application = new PublicClientApplication({
      auth: {
        clientId: lr(),
        authority: `${identity.issuerBase}/${contoso.id}`,
        knownAuthorities: [new URL(identity.issuerBase).host],
        authorityMetadata: await (
          await fetch(`${identity.issuerBase}/${contoso.id}/v2.0/.well-known/openid-configuration`)
        ).text(),
      },
    });
    const result = await application.acquireTokenInteractive({
      scopes: [apiScope],
      openBrowser: async (url) => {
        const form = new URL(url).searchParams;
        form.set('user', 'cleo');
        const page = await (await fetch(address(), { method: 'POST', body: form })).text();
        const [, action = ''] = /action="([^"]+)"/.exec(page) ?? [];
        const fields = [...page.matchAll(/name="(code|state)" value="([^"]+)"/g)];
        const body = new URLSearchParams(
          fields.map(([, name = '', value = '']): [string, string] => [name, plain(value)]),
        );
        await (await fetch(plain(action), { method: 'POST', body })).text();
      },
    });
    expect(decodeJwt(result.accessToken)).toMatchObject({
      name: 'Cleo Lindqvist',
      scp: 'user_impersonation',
    });
    const [account] = await application.getTokenCache().getAllAccounts();
    if (account === undefined) throw new Error('The library kept no account.');
    const renewed = await application.acquireTokenSilent({ account, scopes: [apiScope], forceRefresh: true });
    expect(renewed.accessToken).not.toBe(result.accessToken);
  });
});

describe('refresh tokens', () => {
  const begin = async () => {
    const proof = verifier();
    return (await redeem(codeFrom(await signIn('ben', parameters(proof))), proof)).body;
  };

  it('bring the next one with every use, for the scopes of the sign-in', async () => {
    const first = await begin();
    const second = (await refresh(first.refresh_token)).body;
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(decodeJwt(String(second.access_token))).toMatchObject({ scp: 'user_impersonation' });
    const third = await refresh(second.refresh_token, { scope: apiScope });
    expect(third.body.refresh_token).toBeDefined();
    // As at Entra, the old one is still good.
    expect((await refresh(first.refresh_token)).status).toBe(200);
  });

  it('are for their tenant and client only', async () => {
    const { refresh_token: mine } = await begin();
    expect((await refresh(mine, {}, 'fabrikam')).status).toBe(400);
    const [application] = contoso.applications;
    const stranger = { client_id: application?.clientId ?? '', client_secret: application?.secret ?? '' };
    expect((await refresh(mine, stranger)).status).toBe(400);
  });

  it('end with their whole family when one comes again, if the issuer is told so', async () => {
    const strict = await startedIdentity({ singleUseRefreshTokens: true });
    const lax = identity;
    try {
      identity = strict;
      const first = await begin();
      const second = (await refresh(first.refresh_token)).body;
      expect((await refresh(first.refresh_token)).status).toBe(400);
      expect((await refresh(second.refresh_token)).status).toBe(400);
      expect((await refresh((await begin()).refresh_token)).status).toBe(200);
    } finally {
      identity = lax;
      await strict.close();
    }
  });
});
