import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ClientSecretCredential, DeviceCodeCredential, ManagedIdentityCredential } from '@azure/identity';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findTenant, readSeed, type Seed, type Tenant } from '../seed.ts';
import { type RunningIdentity, startIdentity } from '../server.ts';
import { identityHeader, startedIdentity } from './startedIdentity.ts';

let identity: Awaited<ReturnType<typeof startedIdentity>>;
let seed: Seed;
let contoso: Tenant;
const apiScope = 'api://live-response/.default';

beforeAll(async () => {
  identity = await startedIdentity();
  seed = await readSeed(join(import.meta.dirname, '..', 'seed.json'));
  const found = findTenant(seed, 'contoso');
  if (found === undefined) throw new Error('The seed has no contoso.');
  contoso = found;
});
afterAll(() => identity.close());

const verify = (token: string, audience: string, issuer = identity.issuers.contoso ?? '') =>
  jwtVerify(token, createRemoteJWKSet(new URL(identity.jwksUrl)), {
    audience,
    issuer,
    algorithms: ['RS256'],
  });

function post(path: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  return fetch(`${identity.issuerBase}/${path}`, {
    method: 'POST',
    body: new URLSearchParams(form),
    headers,
  });
}

function postJson(path: string, body: unknown, headers: Record<string, string> = {}) {
  return fetch(`${identity.issuerBase}/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
}

const json = async (response: Response) => (await response.json()) as Record<string, unknown>;
const lr = () => seed.publicClients.find((client) => client.name === 'lr')?.clientId ?? '';
const automation = (tenant = contoso) => {
  const [application] = tenant.applications;
  if (application === undefined) throw new Error(`${tenant.name} has no application.`);
  return application;
};

describe('discovery', () => {
  it('describes a tenant by id, name and domain alike', async () => {
    for (const key of [contoso.id, contoso.name, contoso.domain]) {
      const body = await json(
        await fetch(`${identity.issuerBase}/${key}/v2.0/.well-known/openid-configuration`),
      );
      expect(body.issuer).toBe(`${identity.issuerBase}/${contoso.id}/v2.0`);
    }
  });

  it('refuses an unknown tenant and says which exist', async () => {
    const response = await fetch(`${identity.issuerBase}/nowhere/v2.0/.well-known/openid-configuration`);
    expect(response.status).toBe(400);
    expect((await json(response)).error_description).toMatch(/AADSTS90002.*contoso, fabrikam/);
  });
});

describe('client credentials', () => {
  const credential = (secret: string) =>
    new ClientSecretCredential(contoso.id, automation().clientId, secret, {
      authorityHost: identity.issuerBase,
      disableInstanceDiscovery: true,
    });

  it('gives the official client a token that verifies and carries the app roles', async () => {
    const { token } = await credential(automation().secret).getToken(apiScope);
    const { payload } = await verify(token, seed.api.clientId);
    expect(payload).toMatchObject({
      tid: contoso.id,
      oid: automation().oid,
      sub: automation().oid,
      azp: automation().clientId,
      ver: '2.0',
      roles: automation().roles,
    });
    expect(payload.scp).toBeUndefined();
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(3600);
    expect(payload.jti).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('refuses a wrong secret', async () => {
    await expect(credential('wrong').getToken(apiScope)).rejects.toThrow(/AADSTS7000215/);
  });

  it('refuses the application of another tenant', async () => {
    const fabrikam = findTenant(seed, 'fabrikam');
    if (fabrikam === undefined) throw new Error('The seed has no fabrikam.');
    const foreign = automation(fabrikam);
    const response = await post('contoso/oauth2/v2.0/token', {
      grant_type: 'client_credentials',
      client_id: foreign.clientId,
      client_secret: foreign.secret,
      scope: apiScope,
    });
    expect(response.status).toBe(400);
    expect((await json(response)).error_codes).toEqual([700016]);
  });

  it('refuses unknown resources, two resources at once and other grants', async () => {
    const ask = async (form: Record<string, string>) => {
      const response = await post('contoso/oauth2/v2.0/token', {
        grant_type: 'client_credentials',
        client_id: automation().clientId,
        client_secret: automation().secret,
        ...form,
      });
      return [response.status, (await json(response)).error];
    };
    expect(await ask({ scope: 'https://unknown.example/.default' })).toEqual([400, 'invalid_resource']);
    expect(await ask({ scope: `${apiScope} https://vault.azure.net/.default` })).toEqual([
      400,
      'invalid_scope',
    ]);
    expect(await ask({ scope: 'api://live-response/Everything' })).toEqual([400, 'invalid_scope']);
    expect(await ask({ grant_type: 'password', scope: apiScope })).toEqual([400, 'unsupported_grant_type']);
  });

  it('names a loopback service as audience', async () => {
    const { token } = await credential(automation().secret).getToken('https://localhost:8081/.default');
    const { payload } = await verify(token, 'https://localhost:8081');
    expect(payload.roles).toBeUndefined();
  });
});

describe('device code', () => {
  it('signs a person in through the official client', async () => {
    const credential = new DeviceCodeCredential({
      tenantId: contoso.id,
      clientId: lr(),
      authorityHost: identity.issuerBase,
      disableInstanceDiscovery: true,
      userPromptCallback: ({ userCode }) => {
        void postJson('contoso/device/approve', { user_code: userCode, user: 'ana' });
      },
    });
    const token = await credential.getToken(apiScope);
    const ana = contoso.users.find((user) => user.name === 'ana');
    const { payload } = await verify(token?.token ?? '', seed.api.clientId);
    expect(payload).toMatchObject({
      oid: ana?.oid,
      name: 'Ana Duarte',
      preferred_username: 'ana@contoso.example',
      roles: ana?.roles,
      scp: 'user_impersonation',
      azp: lr(),
    });
  });

  const begin = async (scope = `${apiScope} offline_access`) =>
    json(await post('contoso/oauth2/v2.0/devicecode', { client_id: lr(), scope }));
  const redeem = (deviceCode: unknown) =>
    post('contoso/oauth2/v2.0/token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      client_id: lr(),
      device_code: String(deviceCode),
    });

  it('answers authorization_pending until the page is sent, then gives tokens once', async () => {
    const started = await begin();
    expect((await json(await redeem(started.device_code))).error).toBe('authorization_pending');
    const page = await fetch(String(started.verification_uri_complete));
    expect(await page.text()).toContain(`value="${String(started.user_code)}"`);
    const sent = await post('contoso/device', {
      user_code: String(started.user_code).toLowerCase(),
      user: 'dan',
    });
    expect(await sent.text()).toContain('Signed in as Dan Petrov');
    const tokens = await json(await redeem(started.device_code));
    expect(decodeJwt(String(tokens.access_token)).roles).toBeUndefined();
    expect((await redeem(started.device_code)).status).toBe(400);
  });

  it('renews with a refresh token that is no access token', async () => {
    const started = await begin();
    await postJson('contoso/device/approve', { user_code: started.user_code, user: 'ben' });
    const tokens = await json(await redeem(started.device_code));
    const refresh = String(tokens.refresh_token);
    await expect(verify(refresh, seed.api.clientId)).rejects.toThrow(/aud/);
    const renew = (token: string) =>
      post('contoso/oauth2/v2.0/token', {
        grant_type: 'refresh_token',
        client_id: lr(),
        refresh_token: token,
        scope: apiScope,
      });
    const renewed = await json(await renew(refresh));
    expect(decodeJwt(String(renewed.access_token)).preferred_username).toBe('ben@contoso.example');
    expect((await renew(String(tokens.access_token))).status).toBe(400);
  });

  it('keeps tenants apart and refuses pages of other sites', async () => {
    const started = await begin();
    const body = { user_code: started.user_code, user: 'eve' };
    expect((await postJson('fabrikam/device/approve', body)).status).toBe(400);
    expect((await postJson('contoso/device/approve', body)).status).toBe(400);
    const stranger = { origin: 'https://elsewhere.example' };
    expect((await postJson('contoso/device/approve', { ...body, user: 'ana' }, stranger)).status).toBe(403);
    expect((await json(await redeem(started.device_code))).error).toBe('authorization_pending');
  });

  it('escapes what it shows', async () => {
    const page = await fetch(
      `${identity.issuerBase}/contoso/device?user_code=${encodeURIComponent('"><b>')}`,
    );
    expect(await page.text()).not.toContain('<b>');
  });
});

describe('managed identity', () => {
  it('serves the official client, with the issuer that storage wants for storage only', async () => {
    vi.stubEnv('IDENTITY_ENDPOINT', identity.msiEndpoint);
    vi.stubEnv('IDENTITY_HEADER', identityHeader);
    const [first, second] = contoso.managedIdentities;
    const storage = await new ManagedIdentityCredential().getToken('https://storage.azure.com/.default');
    const claims = await verify(
      storage.token,
      'https://storage.azure.com',
      `https://sts.windows.net/${contoso.id}/`,
    );
    expect(claims.payload).toMatchObject({ oid: first?.oid, appid: first?.clientId, ver: '1.0' });
    const chosen = new ManagedIdentityCredential({ clientId: second?.clientId ?? '' });
    const cosmos = await chosen.getToken('https://cosmos.azure.com/.default');
    expect((await verify(cosmos.token, 'https://cosmos.azure.com')).payload.oid).toBe(second?.oid);
    vi.unstubAllEnvs();
  });

  it('refuses callers without the header and unknown identities', async () => {
    const ask = async (query: string, headers: Record<string, string>) =>
      (await fetch(`${identity.msiEndpoint}?${query}`, { headers })).status;
    const query = 'api-version=2019-08-01&resource=https://vault.azure.net';
    expect(await ask(query, {})).toBe(401);
    expect(await ask(query, { 'X-IDENTITY-HEADER': 'guess' })).toBe(401);
    expect(await ask(`${query}&client_id=x`, { 'X-IDENTITY-HEADER': identityHeader })).toBe(400);
    expect(await ask(query, { 'X-IDENTITY-HEADER': identityHeader })).toBe(200);
  });
});

describe('the signing key', () => {
  it('is the owner’s alone and outlives a restart', async () => {
    expect((await stat(join(identity.dataDir, 'signing-key.json'))).mode & 0o777).toBe(0o600);
    const keys = await (await fetch(identity.jwksUrl)).text();
    expect(keys).not.toContain('"d"');
    const files = join(identity.dataDir, 'certificates', 'server-1');
    const again: RunningIdentity = await startIdentity({
      dataDir: identity.dataDir,
      port: 0,
      msiPort: 0,
      identityHeader,
      tls: { certFile: join(files, 'certificate.pem'), keyFile: join(files, 'key.pem') },
    });
    expect(await (await fetch(again.jwksUrl)).text()).toBe(keys);
    await again.close();
    expect(JSON.parse(await readFile(join(identity.dataDir, 'signing-key.json'), 'utf8'))).toHaveProperty(
      'd',
    );
  });
});
