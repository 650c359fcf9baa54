import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { ServiceBusAdministrationClient, ServiceBusClient } from '@azure/service-bus';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startBroker } from '../broker.ts';
import type { BrokerConfig } from '../config.ts';
import {
  connectionString,
  makeTrustedDir,
  quickRetries,
  receiveOne,
  root,
  startTestBroker,
} from './support.ts';

let dir: string;
let config: BrokerConfig;
let child: ChildProcess | undefined;
const clients: ServiceBusClient[] = [];

beforeEach(async () => {
  const trusted = await makeTrustedDir();
  dir = trusted.dir;
  config = {
    dataDir: join(dir, 'data'),
    synchronous: 'FULL',
    tls: trusted.tls,
    namespaces: [
      {
        name: 'main',
        port: 0,
        rules: [root],
        queues: [
          { name: 'q' },
          { name: 'unique', duplicateDetectionWindowSeconds: 600 },
          { name: 'sessions', requiresSession: true },
        ],
      },
    ],
  };
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  if (child && child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  child = undefined;
  await rm(dir, { recursive: true, force: true });
});

const main = join(import.meta.dirname, '..', 'main.ts');

/** Starts the broker as a process of its own, on the port of the first start. */
async function startChild(): Promise<{ process: ChildProcess; host: string }> {
  const file = join(dir, 'config.json');
  await writeFile(file, JSON.stringify(config));
  const started = spawn(process.execPath, [main, file], { stdio: ['pipe', 'pipe', 'inherit'] });
  child = started;
  const [line] = (await once(createInterface({ input: started.stdout }), 'line')) as [string];
  const { ready, pid, namespaces } = JSON.parse(line) as {
    ready: boolean;
    pid: number;
    namespaces: Record<string, string>;
  };
  expect([ready, pid]).toEqual([true, started.pid]);
  const host = namespaces.main ?? '';
  const [namespace] = config.namespaces;
  if (!namespace) throw new Error('The configuration has no namespace.');
  config = { ...config, namespaces: [{ ...namespace, port: Number(host.split(':')[1]) }] };
  return { process: started, host };
}

async function kill(process: ChildProcess): Promise<void> {
  const exited = once(process, 'exit');
  process.kill('SIGKILL');
  await exited;
}

function client(host: string): ServiceBusClient {
  const made = new ServiceBusClient(connectionString(host), quickRetries);
  clients.push(made);
  return made;
}

describe('the broker as a process', () => {
  it('loses and doubles no acknowledged message when it is killed three times under load', async () => {
    let { process: running, host } = await startChild();
    const acknowledged: string[] = [];
    let ended = false;
    let unknown = 0;
    const senders = Array.from({ length: 8 }, async (_, lane) => {
      for (let number = 0; !ended;) {
        const connection = new ServiceBusClient(connectionString(host), quickRetries);
        const sender = connection.createSender('q');
        try {
          for (; !ended; number += 1) {
            const messageId = `${lane}-${number}`;
            await sender.sendMessages({ body: messageId, messageId });
            acknowledged.push(messageId);
          }
        } catch {
          // Whether this one was stored is unknown; it is not sent again.
          unknown += 1;
          number += 1;
          await delay(50);
        } finally {
          await connection.close().catch(() => undefined);
        }
      }
    });
    for (let round = 0; round < 3; round += 1) {
      const before = acknowledged.length;
      await expect.poll(() => acknowledged.length, { timeout: 15_000 }).toBeGreaterThan(before + 100);
      await kill(running);
      ({ process: running, host } = await startChild());
    }
    const before = acknowledged.length;
    await expect.poll(() => acknowledged.length, { timeout: 15_000 }).toBeGreaterThan(before + 50);
    ended = true;
    await Promise.all(senders);

    const receiver = client(host).createReceiver('q', { receiveMode: 'receiveAndDelete' });
    const stored: string[] = [];
    const sequences = new Set<string>();
    for (;;) {
      const messages = await receiver.receiveMessages(500, { maxWaitTimeInMs: 1000 });
      if (messages.length === 0) break;
      for (const message of messages) {
        stored.push(String(message.body));
        sequences.add(String(message.sequenceNumber));
      }
    }
    const storedIds = new Set(stored);
    expect(unknown).toBeGreaterThan(0);
    expect(acknowledged.filter((id) => !storedIds.has(id))).toEqual([]);
    expect(stored).toHaveLength(storedIds.size);
    expect(sequences.size).toBe(stored.length);
    expect(stored.length - acknowledged.length).toBeLessThanOrEqual(unknown);
  }, 90_000);

  it('brings everything back after a kill, and what was completed stays gone', async () => {
    let { process: running, host } = await startChild();
    let connection = client(host);
    const sender = connection.createSender('q');
    await sender.sendMessages(['done', 'locked', 'abandoned', 'dead'].map((body) => ({ body })));
    const receiver = connection.createReceiver('q');
    const messages = await receiver.receiveMessages(4, { maxWaitTimeInMs: 2000 });
    const [done, locked, abandoned, dead] = messages;
    if (!done || !locked || !abandoned || !dead) throw new Error('Four messages were expected.');
    await receiver.completeMessage(done);
    await receiver.deadLetterMessage(dead, {
      deadLetterReason: 'why',
      deadLetterErrorDescription: 'because',
    });
    await receiver.abandonMessage(abandoned, { tried: true });
    await connection.createSender('unique').sendMessages({ body: 1, messageId: 'same' });
    await connection.createSender('sessions').sendMessages([1, 2].map((body) => ({ body, sessionId: 's' })));
    await kill(running);
    ({ process: running, host } = await startChild());

    connection = client(host);
    const again = connection.createReceiver('q');
    const back = await again.receiveMessages(4, { maxWaitTimeInMs: 1500 });
    expect(back.map((message) => [message.body, message.deliveryCount])).toEqual([
      ['locked', 0],
      ['abandoned', 1],
    ]);
    expect(back[1]?.applicationProperties).toEqual({ tried: true });
    expect(
      (await receiveOne(connection.createReceiver('q', { subQueueType: 'deadLetter' }))).deadLetterReason,
    ).toBe('why');
    await connection.createSender('q').sendMessages({ body: 'new' });
    const fresh = await receiveOne(again);
    expect(fresh.sequenceNumber?.toNumber()).toBeGreaterThan(4);
    await connection.createSender('unique').sendMessages({ body: 2, messageId: 'same' });
    const unique = await connection.createReceiver('unique').peekMessages(10);
    expect(unique.map((message) => message.body)).toEqual([1]);
    const session = await connection.acceptNextSession('sessions');
    expect([session.sessionId, (await receiveOne(session)).body]).toEqual(['s', 1]);
  }, 60_000);

  it.each([
    ['its stdin closes', (process: ChildProcess) => process.stdin?.end()],
    ['it gets SIGTERM', (process: ChildProcess) => process.kill('SIGTERM')],
  ])('ends cleanly when %s, also with clients connected', async (_, end) => {
    const { process: running, host } = await startChild();
    await client(host).createSender('q').sendMessages({ body: 1 });
    const exited = once(running, 'exit');
    end(running);
    expect(await exited).toEqual([0, null]);
  });
});

describe('startBroker', () => {
  it('refuses a data folder that another broker uses', async () => {
    const first = await startTestBroker();
    try {
      await expect(startBroker(first.config)).rejects.toThrow(/another broker uses this folder/);
    } finally {
      await first.close();
    }
  });

  it.each([
    ['no namespace', { namespaces: [] }, /namespaces is empty/],
    ['an unknown durability', { synchronous: 'OFF' as 'FULL' }, /must be FULL or NORMAL/],
    ['no place for keys', { entra: { issuers: [], principals: {} } }, /either jwksUrl or jwksFile/],
  ])('refuses a configuration with %s', async (_, changes, text) => {
    await expect(startBroker({ ...config, ...changes })).rejects.toThrow(text);
  });

  it('says which port is taken', async () => {
    const first = await startTestBroker();
    try {
      const [namespace] = config.namespaces;
      if (!namespace) throw new Error('The configuration has no namespace.');
      const port = Number(first.host.split(':')[1]);
      await expect(startBroker({ ...config, namespaces: [{ ...namespace, port }] })).rejects.toThrow(
        `cannot listen on 127.0.0.1:${port}`,
      );
    } finally {
      await first.close();
    }
  });

  it('keeps deferred and scheduled messages and session state when it is killed', async () => {
    const { process: running, host } = await startChild();
    const before = client(host);
    const receiver = before.createReceiver('q');
    const sender = before.createSender('q');
    await sender.sendMessages({ body: 'deferred' });
    await receiver.deferMessage(await receiveOne(receiver));
    await sender.scheduleMessages({ body: 'scheduled' }, new Date(Date.now() + 60_000));
    await (await before.acceptSession('sessions', 's')).setSessionState({ step: 1 });
    await kill(running);
    const after = client((await startChild()).host);
    const found = await after.createReceiver('q').peekMessages(5);
    expect(found).toMatchObject([
      { body: 'deferred', state: 'deferred' },
      { body: 'scheduled', state: 'scheduled' },
    ]);
    const number = found[0]?.sequenceNumber;
    if (!number) throw new Error('The message has no number.');
    expect(await after.createReceiver('q').receiveDeferredMessages(number)).toMatchObject([
      { body: 'deferred' },
    ]);
    expect(await (await after.acceptSession('sessions', 's')).getSessionState()).toEqual({ step: 1 });
  });

  it('keeps topics, subscriptions and rules when it is killed', async () => {
    const { process: running, host } = await startChild();
    const admin = new ServiceBusAdministrationClient(connectionString(host));
    await admin.createTopic('t');
    const filter = { sqlExpression: 'n > 1' };
    await admin.createSubscription('t', 's', { forwardTo: 'q', defaultRuleOptions: { name: 'big', filter } });
    await admin.createSubscription('t', 'all');
    await kill(running);
    const after = client((await startChild()).host);
    const messages = [1, 2].map((n) => ({ body: n, applicationProperties: { n } }));
    await after.createSender('t').sendMessages(messages);
    expect((await receiveOne(after.createReceiver('q'))).body).toBe(2);
    const all = await after.createReceiver('t', 'all').receiveMessages(2, { maxWaitTimeInMs: 2000 });
    expect(all.map(({ body }) => body as number)).toEqual([1, 2]);
  });
});
