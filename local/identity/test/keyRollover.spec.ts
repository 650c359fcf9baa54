import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ClientSecretCredential } from '@azure/identity';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { readSeed } from '../seed.ts';
import { loadSigningKeys } from '../signingKey.ts';
import { identityHeader, startedIdentity } from './startedIdentity.ts';

let identity: Awaited<ReturnType<typeof startedIdentity>>;
beforeEach(async () => {
  identity = await startedIdentity();
});
afterEach(async () => {
  vi.useRealTimers();
  await identity.close();
});

const roll = (headers: Record<string, string>) =>
  fetch(`${identity.issuerBase}/_local/keys/roll`, { method: 'POST', headers });
const keys = async () =>
  ((await (await fetch(identity.jwksUrl)).json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);

async function tokenOfApplication(): Promise<string> {
  const seed = await readSeed(join(import.meta.dirname, '..', 'seed.json'));
  const [tenant] = seed.tenants;
  const [application] = tenant?.applications ?? [];
  if (!tenant || !application) throw new Error('The seed has no application.');
  const credential = new ClientSecretCredential(tenant.id, application.clientId, application.secret, {
    authorityHost: identity.issuerBase,
    disableInstanceDiscovery: true,
  });
  return (await credential.getToken('api://live-response/.default')).token;
}

it('signs with the new key and publishes both, so that older tokens verify', async () => {
  const before = await tokenOfApplication();
  const rolled = await roll({ 'X-IDENTITY-HEADER': identityHeader });
  const { kid } = (await rolled.json()) as { kid: string };
  const after = await tokenOfApplication();
  const old = decodeProtectedHeader(before).kid;
  expect(decodeProtectedHeader(after).kid).toBe(kid);
  expect(await keys()).toEqual([kid, old]);
  const set = createRemoteJWKSet(new URL(identity.jwksUrl));
  for (const token of [before, after]) await jwtVerify(token, set);
});

it('rolls for nobody without the header', async () => {
  const before = await keys();
  expect((await roll({})).status).toBe(401);
  expect((await roll({ 'X-IDENTITY-HEADER': 'guess' })).status).toBe(401);
  expect(await keys()).toEqual(before);
});

it('keeps a retired key, its public half only, across restarts and until its last token has expired', async () => {
  const dir = join(identity.dataDir, 'keys');
  const first = await loadSigningKeys(dir, 60);
  const old = first.current().kid;
  await first.roll();
  const file = join(dir, 'retired-signing-keys.json');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const again = await loadSigningKeys(dir, 60);
  expect(again.published().map(({ kid }) => kid)).toEqual([first.current().kid, old]);
  expect(JSON.stringify(again.published())).not.toContain('"d"');
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
  expect(again.published().map(({ kid }) => kid)).toEqual([again.current().kid]);
});
