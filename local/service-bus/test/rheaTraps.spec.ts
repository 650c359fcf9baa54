import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import type { ServiceBusReceivedMessage } from '@azure/service-bus';
import rhea, { type Connection, type EventContext, type Receiver, type Sender } from 'rhea';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseMessage } from '../codec/message.ts';
import {
  connectRaw,
  putToken,
  receiveOne,
  root,
  sasToken,
  startTestBroker,
  type TestBroker,
} from './support.ts';

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker();
});
afterAll(() => broker.close());

const rawConnections: Connection[] = [];
afterEach(() => {
  for (const connection of rawConnections.splice(0)) connection.close();
});

async function rawConnection(): Promise<Connection> {
  const connection = connectRaw(broker.host);
  rawConnections.push(connection);
  expect(await putToken(connection, `sb://${broker.host}/`, sasToken(`sb://${broker.host}/`, root))).toBe(
    202,
  );
  return connection;
}

async function rawSender(connection: Connection, queue: string): Promise<Sender> {
  const sender = connection.open_sender({ target: { address: queue } });
  await once(sender, 'sendable');
  return sender;
}

function rawReceiver(connection: Connection, queue: string, options: object = {}): Receiver {
  return connection.open_receiver({
    source: { address: queue },
    credit_window: 0,
    autoaccept: false,
    ...options,
  } as never);
}

async function send(queue: string, count: number): Promise<void> {
  const sender = broker.client().createSender(queue);
  for (let sent = 0; sent < count; sent += 500) {
    await sender.sendMessages(
      Array.from({ length: Math.min(500, count - sent) }, (_, index) => ({ body: sent + index })),
    );
  }
}

/** Subscribes, and resolves when `count` messages were processed. */
async function consume(
  queue: string,
  count: number,
  process: (message: ServiceBusReceivedMessage, processed: number) => Promise<void>,
): Promise<void> {
  const done = Promise.withResolvers<void>();
  let processed = 0;
  const receiver = broker.client().createReceiver(queue);
  const subscription = receiver.subscribe(
    {
      processMessage: async (message) => {
        await process(message, processed);
        processed += 1;
        if (processed === count) done.resolve();
      },
      processError: async ({ error }) => done.reject(error),
    },
    { maxConcurrentCalls: 200 },
  );
  await done.promise;
  // The last settlement may still be on its way.
  await expect.poll(async () => (await counts(queue)).activeMessageCount, { timeout: 5000 }).toBe(0);
  await subscription.close();
}

const counts = (queue: string) => broker.admin().getQueueRuntimeProperties(queue);

describe('rhea as a server', () => {
  it('trap 1: a link lives on after more deliveries than its buffer holds', async () => {
    const queue = await broker.queue();
    await send(queue, 2200);
    await consume(queue, 2200, async () => undefined);
  });

  it('trap 2: a message in hand stops the ones behind a full buffer only until it is settled', async () => {
    const queue = await broker.queue();
    await send(queue, 2300);
    const released = Promise.withResolvers<void>();
    let passed = 0;
    await consume(queue, 2300, async (message) => {
      if (message.body === 0) await released.promise;
      else {
        passed += 1;
        // 2,047 places are left beside the held one.
        if (passed === 2040) setTimeout(released.resolve, 200);
      }
    });
    expect(passed).toBe(2299);
  });

  it('trap 3: no more messages are on their way than there was credit for', async () => {
    const queue = await broker.queue();
    const connection = await rawConnection();
    const receiver = rawReceiver(connection, queue);
    const bodies: number[] = [];
    receiver.on('message', (context: EventContext) => {
      bodies.push(context.delivery?.id ?? -1);
    });
    await once(receiver, 'receiver_open');
    receiver.add_credit(3);
    await send(queue, 50);
    await expect.poll(() => bodies.length).toBe(3);
    // Were the credit overdrawn, the surplus would be stuck, locked and unsent.
    const other = broker.client().createReceiver(queue);
    expect(await other.receiveMessages(100, { maxWaitTimeInMs: 1000 })).toHaveLength(47);
    receiver.add_credit(5);
    await delay(100);
    expect(bodies).toHaveLength(3);
  });

  it('trap 4: a drain is answered without credit and with it', async () => {
    const queue = await broker.queue();
    const connection = await rawConnection();
    const receiver = rawReceiver(connection, queue);
    await once(receiver, 'receiver_open');
    const drained = () => once(receiver, 'receiver_drained', { signal: AbortSignal.timeout(3000) });
    let answered = drained();
    receiver.drain_credit();
    await answered;
    receiver.drain = false;
    receiver.add_credit(4);
    answered = drained();
    receiver.drain_credit();
    await answered;
    receiver.drain = false;
    // The counts agree afterwards: new credit brings exactly as many messages.
    const received: unknown[] = [];
    receiver.on('message', (context: EventContext) => {
      received.push(context.message);
    });
    receiver.add_credit(2);
    await send(queue, 5);
    await expect.poll(() => received.length).toBe(2);
    await delay(100);
    expect(received).toHaveLength(2);
  });

  it('trap 4: a drain is answered after the messages that were being deleted for it', async () => {
    const queue = await broker.queue();
    await send(queue, 3);
    const connection = await rawConnection();
    const receiver = rawReceiver(connection, queue, { snd_settle_mode: 1 });
    await once(receiver, 'receiver_open');
    const events: string[] = [];
    receiver.on('message', () => events.push('message'));
    const drained = once(receiver, 'receiver_drained', { signal: AbortSignal.timeout(3000) });
    receiver.drain = true;
    receiver.add_credit(10);
    await drained;
    events.push('drained');
    expect(events).toEqual(['message', 'message', 'message', 'drained']);
  });

  it('trap 4: short waits keep using one link', async () => {
    const queue = await broker.queue();
    const receiver = broker.client().createReceiver(queue);
    // The SDK waits 200 ms for the answer to its drain, and then gives the link up.
    const links = new Set<unknown>();
    for (let round = 0; round < 10; round += 1) {
      expect(await receiver.receiveMessages(5, { maxWaitTimeInMs: 20 })).toEqual([]);
      const { _context } = receiver as unknown as {
        _context: { messageReceivers: Record<string, { _link: unknown }> };
      };
      for (const { _link } of Object.values(_context.messageReceivers)) links.add(_link);
    }
    expect(links.size).toBe(1);
    expect(links.has(undefined)).toBe(false);
  });

  it('trap 5: sections are stored byte for byte, in buffers of their own', async () => {
    const queue = await broker.queue();
    const connection = await rawConnection();
    const sender = await rawSender(connection, queue);
    const { types } = rhea as unknown as {
      types: Record<string, (value: unknown) => unknown>;
    };
    const encoded = rhea.message.encode({
      message_id: 'm',
      application_properties: {
        byte: types.wrap_byte?.(-3),
        short: types.wrap_short?.(300),
        char: types.wrap_char?.(65),
      },
      body: types.wrap_ubyte?.(9),
    });
    sender.send(encoded, 'tag', 0);
    await once(sender, 'accepted');
    const receiver = rawReceiver(connection, queue);
    await once(receiver, 'receiver_open');
    const arrived = Promise.withResolvers<Buffer>();
    const { decode } = rhea.message;
    try {
      rhea.message.decode = (bytes: Buffer) => {
        arrived.resolve(bytes);
        return decode(bytes);
      };
      receiver.add_credit(1);
      const bytes = await arrived.promise;
      const bare = parseMessage(encoded).bare;
      expect(bytes.subarray(bytes.length - bare.length)).toEqual(bare);
    } finally {
      rhea.message.decode = decode;
    }
    const chunk = Buffer.concat([Buffer.alloc(60_000), encoded]);
    const { bare } = parseMessage(chunk.subarray(60_000));
    expect(bare.buffer.byteLength).toBe(bare.length);
  });

  it('trap 6: a message without properties gets an id of its own', async () => {
    const queue = await broker.queue();
    const connection = await rawConnection();
    const sender = await rawSender(connection, queue);
    // Header absent, properties an empty list, body null.
    const bare = Buffer.from([0x00, 0x53, 0x73, 0x45, 0x00, 0x53, 0x77, 0x40]);
    for (const tag of ['one', 'two']) {
      sender.send(bare, tag, 0);
      await once(sender, 'accepted');
    }
    const receiver = broker.client().createReceiver(queue);
    const ids = [await receiveOne(receiver), await receiveOne(receiver)].map((message) => message.messageId);
    expect(ids.every((id) => /^[0-9a-f]{32}$/.test(String(id)))).toBe(true);
    expect(new Set(ids).size).toBe(2);
    const { types } = rhea as unknown as { types: { List0(): { value: unknown[] } } };
    expect(types.List0().value).toEqual([]);
  });

  it('trap 7: the answer to "next session" waits until a session turns up', async () => {
    const queue = await broker.queue({ requiresSession: true });
    let isAccepted = false;
    const accepting = broker
      .client()
      .acceptNextSession(queue)
      .then((receiver) => {
        isAccepted = true;
        return receiver;
      });
    await delay(400);
    expect(isAccepted).toBe(false);
    await broker.client().createSender(queue).sendMessages({ body: 'late', sessionId: 's' });
    const receiver = await accepting;
    expect(receiver.sessionId).toBe('s');
    expect((await receiveOne(receiver)).body).toBe('late');
  });

  it('trap 7: who gives up waiting takes no session with him', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const connection = await rawConnection();
    const receiver = rawReceiver(connection, queue, {
      source: { address: queue, filter: { 'com.microsoft:session-filter': null } },
    });
    const closed = once(receiver, 'receiver_close');
    await delay(200);
    receiver.close();
    await closed;
    await broker.client().createSender(queue).sendMessages({ body: 1, sessionId: 's' });
    expect((await broker.client().acceptNextSession(queue)).sessionId).toBe('s');
  });

  it('trap 8: a transfer far over the limit ends the connection instead of filling the memory', async () => {
    const queue = await broker.queue();
    const connection = await rawConnection();
    const sender = await rawSender(connection, queue);
    const ended = Promise.withResolvers<string>();
    connection.on('connection_close', () =>
      ended.resolve(String((connection.error as { condition?: string }).condition)),
    );
    connection.on('disconnected', () => ended.resolve('disconnected'));
    connection.on('connection_error', () => undefined);
    sender.on('rejected', () => ended.resolve('rejected: the broker collected it all'));
    sender.send({ body: Buffer.alloc(20_000_000) });
    expect(await ended.promise).toBe('amqp:connection:forced');
  });

  it('trap 8: so does a frame beyond the agreed size', async () => {
    const [, port] = broker.host.split(':');
    const socket = tls.connect({ host: 'localhost', port: Number(port) });
    await once(socket, 'secureConnect');
    socket.on('error', () => undefined);
    socket.write(Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 1, 0, 0]));
    await once(socket, 'data');
    const closed = once(socket, 'close', { signal: AbortSignal.timeout(5000) });
    socket.write(Buffer.from([0x7f, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0]));
    socket.resume();
    await closed;
  });

  it('trap 9: a message touches its own session, not the hundreds of others on the connection', async () => {
    const queue = await broker.queue();
    const quiet = await broker.queue();
    const connection = await rawConnection();
    const opened: Promise<unknown>[] = [];
    for (let index = 0; index < 300; index += 1) {
      const session = connection.create_session();
      session.begin();
      const idle = session.open_receiver({
        name: `idle-${index}`,
        source: { address: quiet },
        credit_window: 0,
      });
      opened.push(once(idle, 'receiver_open'));
    }
    await Promise.all(opened);
    const sender = await rawSender(connection, queue);
    const receiver = rawReceiver(connection, queue, { credit_window: 10, autoaccept: true });
    await once(receiver, 'receiver_open');
    const prototype = sessionPrototype(connection);
    const process = prototype._process;
    let walked = 0;
    prototype._process = function (this: { connection: { is_server: boolean } }) {
      if (this.connection.is_server) walked += 1;
      process.call(this);
    };
    try {
      const received = once(receiver, 'message');
      sender.send({ body: 1 });
      await received;
      await expect.poll(async () => (await counts(queue)).activeMessageCount).toBe(0);
    } finally {
      prototype._process = process;
    }
    expect(walked).toBeGreaterThan(0);
    expect(walked).toBeLessThan(50);
  });

  it('trap 10: a dropped connection frees its session and takes no further messages', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const connection = await rawConnection();
    const holder = rawReceiver(connection, queue, {
      source: { address: queue, filter: { 'com.microsoft:session-filter': 's' } },
    });
    await once(holder, 'receiver_open');
    holder.add_credit(10);
    await delay(50);
    (connection as unknown as { socket: tls.TLSSocket }).socket.destroy();
    const accept = () =>
      broker
        .client()
        .acceptSession(queue, 's')
        .then(
          (receiver) => receiver.sessionId,
          () => 'held',
        );
    await expect.poll(accept, { timeout: 5000 }).toBe('s');
  });

  it('trap 10: a dropped connection leaves no receiver that eats messages', async () => {
    const queue = await broker.queue();
    const connection = await rawConnection();
    const receiver = rawReceiver(connection, queue);
    await once(receiver, 'receiver_open');
    receiver.add_credit(1000);
    await delay(50);
    (connection as unknown as { socket: tls.TLSSocket }).socket.destroy();
    await delay(100);
    await send(queue, 10);
    const left = await broker.client().createReceiver(queue).receiveMessages(10, { maxWaitTimeInMs: 2000 });
    expect(left).toHaveLength(10);
  });
});

interface SessionPrototype {
  _process(this: { connection: { is_server: boolean } }): void;
}

/** rhea does not export its session class; every session leads to it. */
function sessionPrototype(connection: Connection): SessionPrototype {
  const session = connection.create_session();
  const prototype = Object.getPrototypeOf(session) as SessionPrototype;
  session.remove();
  return prototype;
}
