import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { DefaultAzureCredential } from '@azure/identity';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createAuthority } from '../../certificates/authority.ts';
import { readSeed } from '../../identity/seed.ts';
import { type RunningIdentity, startIdentity } from '../../identity/server.ts';
import { type CosmosUnderTest, startedCosmos } from './startedCosmos.ts';

let dir: string;
let identity: RunningIdentity;
let cosmos: CosmosUnderTest;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cosmos-identity-'));
  const tls = await createAuthority(join(dir, 'certificates'));
  setDefaultCACertificates([...getCACertificates('default'), await readFile(tls.caFile, 'utf8')]);
  identity = await startIdentity({ dataDir: dir, port: 0, msiPort: 0, identityHeader: 'secret', tls });
  const seed = await readSeed(join(import.meta.dirname, '..', '..', 'identity', 'seed.json'));
  const oid = seed.tenants[0]?.managedIdentities[0]?.oid ?? '';
  cosmos = await startedCosmos({
    entra: {
      issuers: Object.values(identity.issuers),
      jwksUrl: identity.jwksUrl,
      caFile: tls.caFile,
      principals: { [oid]: 'contributor' },
    },
    databases: [{ id: 'app', containers: [{ id: 'events', partitionKey: '/pk' }] }],
  });
  vi.stubEnv('IDENTITY_ENDPOINT', identity.msiEndpoint);
  vi.stubEnv('IDENTITY_HEADER', 'secret');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await cosmos.close();
  await identity.close();
  await rm(dir, { recursive: true, force: true });
});

it('lets an app in with its managed identity, as in Azure', async () => {
  const client = cosmos.client({ aadCredentials: new DefaultAzureCredential() });
  const container = client.database('app').container('events');
  expect((await container.items.create({ id: 'a', pk: 'A' })).statusCode).toBe(201);
  expect((await container.item('a', 'A').read()).resource).toMatchObject({ id: 'a' });
});
