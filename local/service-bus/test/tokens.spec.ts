import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServiceBusAdministrationClient, ServiceBusClient } from '@azure/service-bus';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ClientConnection } from '../amqp/clientConnection.ts';
import type { Connection } from '../amqp/rhea.ts';
import type { NamespaceConfig } from '../config.ts';
import { Deadlines } from '../engine/deadlines.ts';
import {
  connectionString,
  connectRaw,
  listenRule,
  putToken,
  quickRetries,
  receiveOne,
  root,
  sasToken,
  sendRule,
  startTestBroker,
  type TestBroker,
} from './support.ts';

const rules = [root, listenRule, sendRule];
const namespaces: NamespaceConfig[] = [
  { name: 'main', port: 0, rules, queues: [{ name: 'd1' }, { name: 'd10' }, { name: 'a/b' }] },
  { name: 'foreign', port: 0, rules, queues: [{ name: 'd1' }] },
];

interface SasCredential {
  signature: string;
}

/** The SDK reads the signature anew for each token that it puts, so changing it rotates the token. */
const sasCredential = (signature: string): SasCredential => ({ signature });

describe('SAS tokens', () => {
  let broker: TestBroker;
  let foreignHost: string;
  const clients: ServiceBusClient[] = [];
  beforeAll(async () => {
    broker = await startTestBroker({ namespaces });
    foreignHost = broker.broker.namespaces.foreign ?? '';
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await broker.close();
  });
  const clientWith = (credential: SasCredential, host = broker.host) => {
    const client = new ServiceBusClient(host, credential, quickRetries);
    clients.push(client);
    return client;
  };
  const refused = (client: ServiceBusClient, queue: string) =>
    expect(client.createReceiver(queue).peekMessages(1)).rejects.toMatchObject({
      code: 'UnauthorizedAccess',
    });

  it('narrowed to one queue open that queue and no other', async () => {
    const client = clientWith(sasCredential(sasToken(`sb://${broker.host}/d1`, listenRule)));
    await client.createReceiver('d1').peekMessages(1);
    await expect(client.createReceiver('d1').receiveMessages(1, { maxWaitTimeInMs: 10 })).resolves.toEqual(
      [],
    );
    await refused(client, 'd10');
    await refused(client, 'a/b');
  });

  it('narrowed to a parent path open what lies below it', async () => {
    const client = clientWith(sasCredential(sasToken(`sb://${broker.host}/a`, listenRule)));
    await client.createReceiver('a/b').peekMessages(1);
    await refused(client, 'd1');
  });

  it('without Send cannot send, and without Listen cannot receive', async () => {
    const listener = clientWith(sasCredential(sasToken(`sb://${broker.host}/d1`, listenRule)));
    await expect(listener.createSender('d1').sendMessages({ body: 1 })).rejects.toThrow(/'Send' claim/);
    const sender = clientWith(sasCredential(sasToken(`sb://${broker.host}/d1`, sendRule)));
    await sender.createSender('d1').sendMessages({ body: 1 });
    await expect(sender.createReceiver('d1').receiveMessages(1)).rejects.toThrow(/'Listen' claim/);
    await expect(sender.createReceiver('d1').peekMessages(1)).rejects.toThrow(/'Listen' claim/);
  });

  it('for another namespace are refused, though the rule and key are the same', async () => {
    const credential = sasCredential(sasToken(`sb://${foreignHost}/d1`, listenRule));
    await clientWith(credential, foreignHost).createReceiver('d1').peekMessages(1);
    await refused(clientWith(credential), 'd1');
  });

  it.each([
    ['a wrong key', (host: string) => sasToken(`sb://${host}/d1`, { name: 'listen', key: 'guess' })],
    ['an unknown rule', (host: string) => sasToken(`sb://${host}/d1`, { name: 'nobody', key: 'listen-key' })],
    ['an end in the past', (host: string) => sasToken(`sb://${host}/d1`, listenRule, -5)],
    ['a widened resource', (host: string) => sasToken(`sb://${host}/d1`, listenRule).replace('%2Fd1', '')],
    ['no host', () => sasToken('d1', listenRule)],
    ['garbage', () => 'SharedAccessSignature nonsense'],
  ])('with %s are refused', async (_, token) => {
    await refused(clientWith(sasCredential(token(broker.host))), 'd1');
  });

  it('may be signed by a rule of the queue, which opens nothing beside it', async () => {
    const rule = { keyName: 'own', primaryKey: 'own-key', secondaryKey: 'other-key' };
    await broker.admin().createQueue('guarded', {
      authorizationRules: [{ ...rule, claimType: 'SharedAccessKey', accessRights: ['Listen'] }],
    });
    for (const key of ['own-key', 'other-key']) {
      const token = sasToken(`sb://${broker.host}/guarded`, { name: 'own', key });
      await clientWith(sasCredential(token)).createReceiver('guarded').peekMessages(1);
    }
    const elsewhere = sasToken(`sb://${broker.host}/d1`, { name: 'own', key: 'own-key' });
    await refused(clientWith(sasCredential(elsewhere)), 'd1');
  });

  it('end their links when they run out, and a renewed one brings the receiver back', async () => {
    const uri = `sb://${broker.host}/d10`;
    const credential = sasCredential(sasToken(uri, listenRule, 2));
    const client = new ServiceBusClient(broker.host, credential, {
      retryOptions: { retryDelayInMs: 100, maxRetryDelayInMs: 100 },
    });
    clients.push(client);
    const expired = Promise.withResolvers<unknown>();
    const received = Promise.withResolvers<unknown>();
    client.createReceiver('d10').subscribe({
      processMessage: async ({ body }) => received.resolve(body),
      processError: async ({ error }) => {
        credential.signature = sasToken(uri, listenRule);
        expired.resolve(error);
      },
    });
    expect(await expired.promise).toMatchObject({ code: 'UnauthorizedAccess' });
    await broker.client().createSender('d10').sendMessages({ body: 'after' });
    expect(await received.promise).toBe('after');
  });

  it('in a connection string need no SASL layer', async () => {
    const token = sasToken(`sb://${broker.host}/d1`, listenRule);
    const client = new ServiceBusClient(
      `Endpoint=sb://${broker.host}/;SharedAccessSignature=${token}`,
      quickRetries,
    );
    clients.push(client);
    await client.createReceiver('d1').peekMessages(1);
  });

  it.each(['d1', 'd1/$DeadLetterQueue', 'd1/$management'])('are needed to attach to %s', async (address) => {
    const connection = connectRaw(broker.host);
    try {
      const links = [
        connection.open_receiver({ source: { address } }),
        connection.open_sender({ target: { address } }),
      ];
      await Promise.all(
        links.map((link) => {
          const direction = link.is_receiver() ? 'receiver' : 'sender';
          link.on(`${direction}_error`, () => undefined);
          return once(link, `${direction}_close`);
        }),
      );
      for (const link of links) {
        expect(link.error).toMatchObject({ condition: 'amqp:unauthorized-access' });
        expect(link.source?.address ?? link.target?.address).toBeUndefined();
      }
    } finally {
      connection.close();
    }
  });

  it('put for one queue on a connection do not open another one', async () => {
    const connection = connectRaw(broker.host);
    try {
      const token = sasToken(`sb://${broker.host}/`, root);
      expect(await putToken(connection, `sb://${broker.host}/d1`, token)).toBe(202);
      expect(await putToken(connection, `sb://${foreignHost}/d10`, token)).toBe(401);
      const open = connection.open_receiver({ source: { address: 'd1' } });
      await once(open, 'receiver_open');
      const closed = connection.open_receiver({ source: { address: 'd10' } });
      closed.on('receiver_error', () => undefined);
      await once(closed, 'receiver_close');
      expect(closed.error).toMatchObject({ condition: 'amqp:unauthorized-access' });
      expect(open.is_open()).toBe(true);
    } finally {
      connection.close();
    }
  });

  it('must be put within 20 seconds', () => {
    vi.useFakeTimers();
    try {
      const deadlines = new Deadlines();
      const close = vi.fn();
      const silent = new ClientConnection({ close } as unknown as Connection, deadlines);
      const known = new ClientConnection(
        { close: () => expect.unreachable() } as unknown as Connection,
        deadlines,
      );
      known.grant({ path: 'd1', rights: ['Listen'], expiresAt: Date.now() + 60_000 });
      vi.advanceTimersByTime(19_900);
      expect(close).not.toHaveBeenCalled();
      vi.advanceTimersByTime(200);
      expect(close).toHaveBeenCalledWith(expect.objectContaining({ condition: 'amqp:connection:forced' }));
      silent.end();
      known.end();
      deadlines.stop();
    } finally {
      vi.useRealTimers();
    }
  });

  it('need Manage to administer', async () => {
    const admin = new ServiceBusAdministrationClient(connectionString(broker.host, listenRule));
    await expect(admin.getQueue('d1')).rejects.toMatchObject({ statusCode: 401 });
    const guess = new ServiceBusAdministrationClient(
      connectionString(broker.host, { name: 'root', key: 'guess' }),
    );
    await expect(guess.getQueue('d1')).rejects.toMatchObject({ statusCode: 401 });
  });
});

describe('Entra tokens', () => {
  const issuer = 'https://login.example/tenant/v2.0';
  const owner = '11111111-1111-4111-8111-111111111111';
  const reader = '22222222-2222-4222-8222-222222222222';
  let broker: TestBroker;
  let dir: string;
  let keysFile: string;
  let keys: Awaited<ReturnType<typeof generateKeyPair>>;
  const clients: ServiceBusClient[] = [];

  const publish = async (kid: string, alg = 'RS256') => {
    keys = await generateKeyPair(alg, { extractable: true });
    return { keys: [{ ...(await exportJWK(keys.publicKey)), kid, alg, use: 'sig' }] };
  };
  const tokenFor = (
    oid: string,
    changes: { aud?: string; iss?: string; exp?: number; kid?: string; alg?: string } = {},
  ) =>
    new SignJWT({ oid, tid: 'tenant' })
      .setProtectedHeader({ alg: changes.alg ?? 'RS256', kid: changes.kid ?? 'k1', typ: 'JWT' })
      .setIssuer(changes.iss ?? issuer)
      .setAudience(changes.aud ?? 'https://servicebus.azure.net')
      .setIssuedAt()
      .setExpirationTime(changes.exp ?? Math.floor(Date.now() / 1000) + 3600)
      .sign(keys.privateKey);
  const credentialOf = (token: string, seconds = 3600) => ({
    getToken: async () => ({ token, expiresOnTimestamp: Date.now() + seconds * 1000 }),
  });
  const clientWith = (token: string) => {
    const client = new ServiceBusClient(broker.host, credentialOf(token), quickRetries);
    clients.push(client);
    return client;
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'service-bus-keys-'));
    keysFile = join(dir, 'jwks.json');
    await writeFile(keysFile, JSON.stringify(await publish('k1')));
    broker = await startTestBroker({
      namespaces,
      entra: {
        issuers: [issuer],
        jwksFile: keysFile,
        principals: { [owner]: ['Manage'], [reader]: ['Listen'] },
      },
    });
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await broker.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('open every queue to a principal with the right', async () => {
    for (const aud of ['https://servicebus.azure.net', 'https://servicebus.azure.net/']) {
      const client = clientWith(await tokenFor(owner, { aud }));
      await client.createSender('d1').sendMessages({ body: aud });
      const receiver = client.createReceiver('d1');
      await receiver.completeMessage(await receiveOne(receiver));
    }
  });

  it('give no more than the rights of the principal', async () => {
    const client = clientWith(await tokenFor(reader));
    await client.createReceiver('d1').peekMessages(1);
    await expect(client.createSender('d1').sendMessages({ body: 1 })).rejects.toThrow(/'Send' claim/);
    const admin = new ServiceBusAdministrationClient(broker.host, credentialOf(await tokenFor(reader)));
    await expect(admin.getQueue('d1')).rejects.toMatchObject({ statusCode: 401 });
  });

  it('administer with Manage', async () => {
    const admin = new ServiceBusAdministrationClient(broker.host, credentialOf(await tokenFor(owner)));
    await admin.createQueue('by-identity');
    expect(await admin.queueExists('by-identity')).toBe(true);
  });

  it.each([
    ['of an unknown principal', { oid: '33333333-3333-4333-8333-333333333333' }],
    ['for another audience', { aud: 'https://storage.azure.com' }],
    ['of another issuer', { iss: 'https://login.example/other/v2.0' }],
    ['that has expired', { exp: Math.floor(Date.now() / 1000) - 10 }],
  ])(
    '%s are refused',
    async (_, { oid = owner, ...changes }: { oid?: string; aud?: string; iss?: string; exp?: number }) => {
      await expect(
        clientWith(await tokenFor(oid, changes))
          .createReceiver('d1')
          .peekMessages(1),
      ).rejects.toMatchObject({ code: 'UnauthorizedAccess' });
    },
  );

  it('signed by a stranger under a known key id are refused', async () => {
    const stranger = await generateKeyPair('RS256');
    const token = await new SignJWT({ oid: owner })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .setIssuer(issuer)
      .setAudience('https://servicebus.azure.net')
      .setExpirationTime('1h')
      .sign(stranger.privateKey);
    await expect(clientWith(token).createReceiver('d1').peekMessages(1)).rejects.toMatchObject({
      code: 'UnauthorizedAccess',
    });
  });

  it('are accepted under a new key as soon as it is published', async () => {
    await writeFile(keysFile, JSON.stringify(await publish('k2', 'ES256')));
    await clientWith(await tokenFor(owner, { kid: 'k2', alg: 'ES256' }))
      .createReceiver('d1')
      .peekMessages(1);
  });

  it('are checked against keys from a URL, fetched again for an unknown key', async () => {
    let published = JSON.stringify(await publish('u1'));
    const server = createServer((_, response) => response.end(published));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const remote = await startTestBroker({
      namespaces,
      entra: {
        issuers: [issuer],
        jwksUrl: `http://127.0.0.1:${port}/keys`,
        principals: { [owner]: ['Listen'] },
      },
    });
    try {
      const peek = async (kid: string) => {
        const client = new ServiceBusClient(remote.host, credentialOf(await tokenFor(owner, { kid })), {
          retryOptions: { maxRetries: 5, retryDelayInMs: 400 },
        });
        clients.push(client);
        await client.createReceiver('d1').peekMessages(1);
      };
      await peek('u1');
      published = JSON.stringify(await publish('u2'));
      await peek('u2');
    } finally {
      await Promise.all(clients.splice(0).map((client) => client.close()));
      await remote.close();
      server.close();
    }
  });
});
