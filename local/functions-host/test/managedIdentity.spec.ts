import path from 'node:path';
import { CosmosClient } from '@azure/cosmos';
import { ServiceBusClient } from '@azure/service-bus';
import { expect, it } from 'vitest';
import { startCosmos } from '../../cosmos/server.ts';
import { readSeed } from '../../identity/seed.ts';
import { startIdentity } from '../../identity/server.ts';
import { startBroker } from '../../service-bus/broker.ts';
import { Notes } from './notes.ts';
import { trustedTls } from './startBus.ts';
import { atEnd, startHost, temporaryFolder } from './startHost.ts';

const masterKey = Buffer.from('a master key for these tests only').toString('base64');
const sender = { name: 'sender', key: 'sender-key', rights: ['Send'] } as const;

/** Issuer, bus and account that let the app's managed identity in and nobody else. */
async function startCloud() {
  const tls = await trustedTls();
  const folder = temporaryFolder();
  const identity = await startIdentity({
    dataDir: folder,
    port: 0,
    msiPort: 0,
    identityHeader: 'secret',
    tls,
  });
  const seed = await readSeed(path.join(import.meta.dirname, '..', '..', 'identity', 'seed.json'));
  const oid = seed.tenants[0]?.managedIdentities[0]?.oid ?? '';
  const issuers = Object.values(identity.issuers);
  const { jwksUrl } = identity;
  const broker = await startBroker({
    dataDir: path.join(folder, 'bus'),
    synchronous: 'NORMAL',
    tls,
    namespaces: [
      {
        name: 'main',
        port: 0,
        rules: [sender],
        queues: [{ name: 'plain' }, { name: 'ordered', requiresSession: true }],
      },
    ],
    entra: { issuers, jwksUrl, principals: { [oid]: ['Listen'] } },
  });
  const cosmos = await startCosmos({
    dataDir: path.join(folder, 'cosmos'),
    port: 0,
    masterKey,
    tls,
    entra: { issuers, jwksUrl, caFile: tls.caFile, principals: { [oid]: 'contributor' } },
    databases: [
      {
        id: 'app',
        containers: [
          { id: 'items', partitionKey: '/pk' },
          { id: 'leases', partitionKey: '/id' },
        ],
      },
    ],
  });
  atEnd(async () => {
    delete process.env.IDENTITY_ENDPOINT;
    delete process.env.IDENTITY_HEADER;
    await Promise.all([broker.close(), cosmos.close(), identity.close()]);
  });
  return { identity, namespace: broker.namespaces.main ?? '', cosmos };
}

// One test and one issuer: the credential remembers the first endpoint for the life of the process.
it('lets triggers listen on queues and follow change feeds with the managed identity of the app', async () => {
  const { identity, namespace, cosmos } = await startCloud();
  const settings = { IDENTITY_ENDPOINT: identity.msiEndpoint, IDENTITY_HEADER: 'secret' };
  const messages = new Notes<{ event: string; message: { n: number } }>();
  await startHost('service-bus', {
    settings: {
      ...settings,
      BUS__fullyQualifiedNamespace: namespace,
      PLAIN_QUEUE: 'plain',
      SESSION_QUEUE: 'ordered',
      NOTES: messages.file,
    },
  });
  const changes = new Notes<{ ids?: string[] }>();
  await startHost('cosmos', {
    settings: {
      ...settings,
      COSMOS__accountEndpoint: cosmos.endpoint,
      CONTAINER: 'items',
      NOTES: changes.file,
    },
  });

  const bus = new ServiceBusClient(
    `Endpoint=sb://${namespace}/;SharedAccessKeyName=${sender.name};SharedAccessKey=${sender.key}`,
  );
  atEnd(() => bus.close());
  await bus.createSender('plain').sendMessages({ body: { n: 1 } });
  await bus.createSender('ordered').sendMessages({ body: { n: 2 }, sessionId: 's' });
  const ended = await messages.atLeast(2, ({ event }) => event === 'end');
  expect(ended.map(({ message }) => message.n).sort()).toEqual([1, 2]);

  const account = new CosmosClient({ endpoint: cosmos.endpoint, key: masterKey });
  atEnd(() => account.dispose());
  await account.database('app').container('items').items.create({ id: 'x', pk: 'x' });
  const [note] = await changes.atLeast(1, ({ ids }) => ids !== undefined);
  expect(note?.ids).toEqual(['x']);
});
