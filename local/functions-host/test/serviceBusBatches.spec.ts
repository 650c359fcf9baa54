import { ServiceBusAdministrationClient } from '@azure/service-bus';
import { beforeAll, describe, expect, it } from 'vitest';
import { Notes } from './notes.ts';
import type { TestBus } from './startBus.ts';
import { startBus } from './startBus.ts';
import { eventually, hostJsonWith, startHost, untilFileEnds, writeApp } from './startHost.ts';

interface Note {
  event: 'begin' | 'end';
  at: number;
  /** The trigger value: the array of a batch, or one message. */
  given: unknown;
  metadata: Record<string, unknown>;
}

const queues = [
  { name: 'many', lockDurationSeconds: 30 },
  { name: 'patient', lockDurationSeconds: 30 },
  { name: 'many-ordered', requiresSession: true, lockDurationSeconds: 30 },
  { name: 'one', lockDurationSeconds: 30 },
];

let bus: TestBus;
let admin: ServiceBusAdministrationClient;
beforeAll(() =>
  untilFileEnds(async () => {
    bus = await startBus(queues);
    admin = new ServiceBusAdministrationClient(bus.connectionString);
    await admin.createTopic('news');
    await admin.createSubscription('news', 'alarms', {
      defaultRuleOptions: { name: 'only', filter: { applicationProperties: { kind: 'alarm' } } },
    });
    await admin.createSubscription('news', 'ordered', {
      requiresSession: true,
      defaultRuleOptions: { name: 'only', filter: { applicationProperties: { kind: 'ordered' } } },
    });
    await admin.createSubscription('news', 'written', {
      defaultRuleOptions: { name: 'only', filter: { contentType: 'text/plain' } },
    });
  }),
);

/** A handler that writes down what it got, waits a little and fails as often as FAIL says. */
const handler = `
const { appendFileSync } = require('node:fs');
const note = (value) => appendFileSync(process.env.NOTES, JSON.stringify({ at: Date.now(), ...value }) + '\\n');
let failures = Number(process.env.FAIL ?? 0);
const handler = async (given, { triggerMetadata: metadata }) => {
  note({ event: 'begin', given, metadata });
  await new Promise((resolve) => setTimeout(resolve, 50));
  note({ event: 'end', given, metadata });
  if (failures-- > 0) throw new Error('as told');
};`;

async function start(source: string, options: object = {}, settings: Record<string, string> = {}) {
  const notes = new Notes<Note>();
  const host = await startHost(
    writeApp(
      `${handler}\n${source}`,
      hostJsonWith({ serviceBus: { sessionIdleTimeout: '00:00:01', ...options } }),
    ),
    { settings: { BUS: bus.connectionString, NOTES: notes.file, ...settings } },
  );
  return { host, notes };
}

const begun = ({ event }: Note) => event === 'begin';
const batchesOf = (notes: Notes<Note>) => notes.where(begun).map(({ given }) => given as unknown[]);
const messagesOf = (notes: Notes<Note>) => batchesOf(notes).flat();

const untilEmpty = (queue: string, subscription?: string) =>
  eventually(async () => {
    const receiver =
      subscription === undefined
        ? bus.client.createReceiver(queue)
        : bus.client.createReceiver(queue, subscription);
    const [left] = await receiver.peekMessages(1);
    await receiver.close();
    return left === undefined ? true : undefined;
  });

const many = `app.serviceBusQueue('many', { connection: 'BUS', queueName: 'many', cardinality: 'many', handler });`;

describe('a function that takes batches', () => {
  it('gets what is there as arrays, and everything is completed', async () => {
    await bus.send(
      'many',
      { body: { n: 1 }, messageId: 'a', subject: 's', applicationProperties: { Tenant: 't1' } },
      { body: Buffer.from('text'), messageId: 'b' },
      { body: Buffer.alloc(0), messageId: 'c' },
    );
    const { notes } = await start(many);
    const [note] = await notes.atLeast(1, begun);
    // Empty texts are dropped by the real host, from bodies and from metadata alike.
    expect(note?.given).toEqual([{ n: 1 }, 'text']);
    expect(note?.metadata).toMatchObject({
      messageIdArray: ['a', 'b', 'c'],
      subjectArray: ['s'],
      deliveryCountArray: [1, 1, 1],
      applicationPropertiesArray: [{ tenant: 't1' }, {}, {}],
      sequenceNumberArray: [expect.any(Number), expect.any(Number), expect.any(Number)],
    });
    expect(note?.metadata.messageId).toBeUndefined();
    await untilEmpty('many');
  });

  it('E-34 gets at most maxMessageBatchSize messages, one batch at a time', async () => {
    await bus.send('many', ...[1, 2, 3, 4, 5, 6, 7].map((body) => ({ body })));
    const { notes } = await start(many, { maxMessageBatchSize: 3 });
    await eventually(() => (messagesOf(notes).length === 7 ? true : undefined));
    expect(messagesOf(notes)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(Math.max(...batchesOf(notes).map(({ length }) => length))).toBe(3);
    await untilEmpty('many');
    expect(notes.all().map(({ event }) => event)).toEqual(batchesOf(notes).flatMap(() => ['begin', 'end']));
  });

  it('E-34 waits for minMessageBatchSize, but no longer than maxBatchWaitTime', async () => {
    const { notes } = await start(
      `app.serviceBusQueue('patient', { connection: 'BUS', queueName: 'patient', cardinality: 'many', handler });`,
      { minMessageBatchSize: 3, maxBatchWaitTime: '00:00:03' },
    );
    const sentAt = Date.now();
    await bus.send('patient', { body: 1 });
    const [few] = await notes.atLeast(1, begun);
    expect(few?.given).toEqual([1]);
    expect((few?.at ?? 0) - sentAt).toBeGreaterThanOrEqual(2900);
    await Promise.all([bus.send('patient', { body: 2 }), bus.send('patient', { body: 3 }, { body: 4 })]);
    await eventually(() => (messagesOf(notes).length === 4 ? true : undefined));
    expect(batchesOf(notes)).toHaveLength(2);
    await untilEmpty('patient');
  }, 30_000);

  it('E-35 abandons the whole batch when it fails', async () => {
    await bus.send('many', { body: 1 }, { body: 2 });
    const { host, notes } = await start(many, {}, { FAIL: '1' });
    const [first, second] = await notes.atLeast(2, begun);
    expect([first?.given, first?.metadata.deliveryCountArray]).toEqual([
      [1, 2],
      [1, 1],
    ]);
    expect([second?.given, second?.metadata.deliveryCountArray]).toEqual([
      [1, 2],
      [2, 2],
    ]);
    expect(await host.logged(/many failed, a batch of 2 is abandoned/)).toContain('as told');
    await untilEmpty('many');
  });

  it('never mixes sessions, and keeps the order within each', async () => {
    for (const n of [1, 2, 3]) {
      await bus.send('many-ordered', { body: `x${n}`, sessionId: 'x' }, { body: `y${n}`, sessionId: 'y' });
    }
    const { notes } = await start(
      `app.serviceBusQueue('ordered', { connection: 'BUS', queueName: 'many-ordered', cardinality: 'many', isSessionsEnabled: true, handler });`,
    );
    await eventually(() => (messagesOf(notes).length === 6 ? true : undefined), 20_000);
    for (const batch of batchesOf(notes)) {
      expect(new Set(batch.map((message) => String(message).charAt(0))).size).toBe(1);
    }
    const ofSession = (id: string) => messagesOf(notes).filter((message) => String(message).startsWith(id));
    expect([ofSession('x'), ofSession('y')]).toEqual([
      ['x1', 'x2', 'x3'],
      ['y1', 'y2', 'y3'],
    ]);
    await untilEmpty('many-ordered');
  }, 30_000);

  it('does not start when the least size exceeds the most', async () => {
    await expect(start(many, { minMessageBatchSize: 5, maxMessageBatchSize: 4 })).rejects.toThrow(
      /minMessageBatchSize \(5\) must not exceed extensions.serviceBus.maxMessageBatchSize \(4\)/,
    );
  });
});

describe('topics', () => {
  it('fires for the messages of a subscription, with and without sessions', async () => {
    const { notes } = await start(
      `app.serviceBusTopic('alarms', { connection: 'BUS', topicName: '%TOPIC%', subscriptionName: '%ALARMS%', handler });
       app.serviceBusTopic('ordered', { connection: 'BUS', topicName: 'news', subscriptionName: 'ordered', isSessionsEnabled: true, handler });`,
      {},
      { TOPIC: 'news', ALARMS: 'alarms' },
    );
    await bus.send(
      'news',
      { body: 'alarm', applicationProperties: { kind: 'alarm' } },
      { body: 'rest', applicationProperties: { kind: 'other' } },
      { body: 'first', sessionId: 's', applicationProperties: { kind: 'ordered' } },
      { body: 'second', sessionId: 's', applicationProperties: { kind: 'ordered' } },
    );
    await notes.atLeast(3, ({ event }) => event === 'end');
    const given = notes.where(begun).map((note) => note.given);
    expect(new Set(given)).toEqual(new Set(['alarm', 'first', 'second']));
    expect(given.indexOf('first')).toBeLessThan(given.indexOf('second'));
    await untilEmpty('news', 'alarms');
  });

  it('need the name of a subscription', async () => {
    await expect(
      start(
        `app.serviceBusTopic('t', { connection: 'BUS', topicName: 'news', subscriptionName: '', handler });`,
      ),
    ).rejects.toThrow(`Function 't': subscriptionName is missing.`);
  });
});

describe('Service Bus outputs', () => {
  it('send an array as several messages, anything else as one, to topics and queues', async () => {
    const { host } = await start(
      `const topic = output.serviceBusTopic({ connection: 'BUS', topicName: 'news' });
       app.http('publish', { methods: ['POST'], extraOutputs: [topic], handler: async (request, context) => {
         context.extraOutputs.set(topic, await request.json());
         return { status: 202 };
       } });
       app.serviceBusQueue('relay', { connection: 'BUS', queueName: 'one', handler: (message) => [message, 'again'],
         return: output.serviceBusTopic({ connection: 'BUS', topicName: 'news' }) });`,
    );
    const written = bus.client.createReceiver('news', 'written', { receiveMode: 'receiveAndDelete' });
    const next = async () => {
      const [message] = await written.receiveMessages(1, { maxWaitTimeInMs: 20_000 });
      return message?.body as unknown;
    };
    const publish = (value: unknown) =>
      host.get('/api/publish', { method: 'POST', body: JSON.stringify(value) });
    expect((await publish([{ n: 1 }, 'two', 3])).status).toBe(202);
    // The SDK reads JSON where it can: texts that are none come as bytes.
    const asText = (body: unknown) => (Buffer.isBuffer(body) ? body.toString() : body);
    expect([await next(), await next(), await next()].map(asText)).toEqual([{ n: 1 }, 'two', 3]);
    await publish({ whole: true });
    expect(await next()).toEqual({ whole: true });
    await bus.send('one', { body: { relayed: 1 } });
    expect([await next(), await next()].map(asText)).toEqual([{ relayed: 1 }, 'again']);
    await written.close();
  });

  it('fail the invocation when they cannot be sent', async () => {
    const { host } = await start(
      `const lost = output.serviceBusQueue({ connection: 'BUS', queueName: 'nowhere' });
       app.http('publish', { extraOutputs: [lost], handler: (request, context) => {
         context.extraOutputs.set(lost, 'x');
         return { status: 202 };
       } });`,
    );
    expect((await host.get('/api/publish')).status).toBe(500);
    expect(await host.logged(/publish failed: Its output to 'nowhere' cannot be sent/)).toContain('nowhere');
  });
});
