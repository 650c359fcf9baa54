import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { CosmosClient } from '@azure/cosmos';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { OutcomeUnknown } from '../../domain/eventStore.ts';
import { CosmosEventStore } from '../../functions/adapters/cosmosEventStore.ts';
import { createAuthority } from '../../local/certificates/authority.ts';
import { startCosmos } from '../../local/cosmos/server.ts';
import { eventStoreContract } from './eventStore.contract.ts';

let dir: string;
let cosmos: Awaited<ReturnType<typeof startCosmos>>;
let store: CosmosEventStore;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'event-store-'));
  const authority = await createAuthority(join(dir, 'certificates'));
  tls.setDefaultCACertificates([
    ...tls.getCACertificates('default'),
    await readFile(authority.caFile, 'utf8'),
  ]);
  const masterKey = randomBytes(64).toString('base64');
  cosmos = await startCosmos({
    dataDir: join(dir, 'cosmos'),
    port: 0,
    masterKey,
    synchronous: 'NORMAL',
    tls: authority,
    databases: [{ id: 'live-response', containers: [{ id: 'events', partitionKey: '/pk' }] }],
  });
  const client = new CosmosClient({ endpoint: cosmos.endpoint, key: masterKey });
  store = new CosmosEventStore(client.database('live-response').container('events'));
});
afterAll(async () => {
  await cosmos?.close();
  await rm(dir, { recursive: true, force: true });
});

eventStoreContract('Cosmos DB', () => store);

it('says that it does not know when the store does not answer', async () => {
  const unreachable = new CosmosClient({
    endpoint: 'https://localhost:1',
    key: randomBytes(64).toString('base64'),
    connectionPolicy: { enableEndpointDiscovery: false },
  });
  const lonely = new CosmosEventStore(unreachable.database('live-response').container('events'));
  const fold = { foldVersion: 1, initialState: {}, evolve: () => ({}) };
  const head = { version: 0, hash: 'x', recordedAt: '', state: {}, etag: null };
  const metadata = {
    actor: { kind: 'system' as const, id: 'test', name: 'Test' },
    correlationId: 'c',
    causationId: 'c',
    traceparent: null,
    now: '2026-01-01T00:00:00.000Z',
  };
  await expect(
    lonely.append('t', 'session-x', head, [{ type: 'Happened', data: {} }], metadata, fold),
  ).rejects.toThrow(OutcomeUnknown);
});
