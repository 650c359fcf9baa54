import { setTimeout as delay } from 'node:timers/promises';
import { ServiceBusError } from '@azure/service-bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { receiveOne, startTestBroker, type TestBroker } from './support.ts';

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker();
});
afterAll(() => broker.close());

describe('a queue', () => {
  it('hands over what was sent, and forgets it once completed', async () => {
    const queue = await broker.queue();
    const client = broker.client();
    const receiver = client.createReceiver(queue);
    await client.createSender(queue).sendMessages({
      body: { text: 'hello' },
      messageId: 'm-1',
      correlationId: 'c-1',
      subject: 's',
      applicationProperties: { number: 7, flag: true, text: 'x' },
    });

    const message = await receiveOne(receiver);

    expect(message.body).toEqual({ text: 'hello' });
    expect(message.messageId).toBe('m-1');
    expect(message.correlationId).toBe('c-1');
    expect(message.applicationProperties).toEqual({ number: 7, flag: true, text: 'x' });
    expect(message.deliveryCount).toBe(0);
    expect(message.sequenceNumber?.toNumber()).toBe(1);
    expect(message.lockedUntilUtc?.getTime()).toBeGreaterThan(Date.now() + 50_000);
    await receiver.completeMessage(message);
    expect(await receiver.peekMessages(10)).toEqual([]);
  });

  it('gives an abandoned message back at its old place, with its changed properties', async () => {
    const queue = await broker.queue();
    const client = broker.client();
    const receiver = client.createReceiver(queue);
    await client.createSender(queue).sendMessages([{ body: 'a' }, { body: 'b' }]);
    await receiver.abandonMessage(await receiveOne(receiver), { attempt: 1 });
    const again = await receiveOne(receiver);
    expect(again.body).toBe('a');
    expect(again.deliveryCount).toBe(1);
    expect(again.applicationProperties).toEqual({ attempt: 1 });
    expect((await receiveOne(receiver)).body).toBe('b');
  });

  it('gives a message back when its lock runs out, and refuses the late settlement', async () => {
    const queue = await broker.queue({ lockDurationSeconds: 1 });
    const client = broker.client();
    const receiver = client.createReceiver(queue, { maxAutoLockRenewalDurationInMs: 0 });
    await client.createSender(queue).sendMessages({ body: 1 });
    const first = await receiveOne(receiver);
    const second = await receiveOne(receiver);
    expect(second.deliveryCount).toBe(1);
    await expect(receiver.completeMessage(first)).rejects.toMatchObject({ code: 'MessageLockLost' });
    await receiver.completeMessage(second);
  });

  it('keeps a renewed lock', async () => {
    const queue = await broker.queue({ lockDurationSeconds: 2 });
    const client = broker.client();
    const receiver = client.createReceiver(queue, { maxAutoLockRenewalDurationInMs: 0 });
    await client.createSender(queue).sendMessages({ body: 1 });
    const message = await receiveOne(receiver);
    const before = message.lockedUntilUtc?.getTime() ?? 0;
    await delay(1200);
    const until = await receiver.renewMessageLock(message);
    expect(until.getTime()).toBeGreaterThan(before + 1000);
    await delay(1200);
    expect(Date.now()).toBeGreaterThan(before);
    await receiver.completeMessage(message);
  });

  it('deletes on receive in that mode, in order', async () => {
    const queue = await broker.queue();
    const client = broker.client();
    await client.createSender(queue).sendMessages([1, 2, 3].map((body) => ({ body })));
    const receiver = client.createReceiver(queue, { receiveMode: 'receiveAndDelete' });
    const messages = await receiver.receiveMessages(3, { maxWaitTimeInMs: 2000 });
    expect(messages.map((message) => message.body)).toEqual([1, 2, 3]);
    expect(await receiver.peekMessages(10)).toEqual([]);
  });

  it('loses nothing that was deleted on receive to a short wait', async () => {
    const queue = await broker.queue();
    const client = broker.client();
    const sender = client.createSender(queue);
    const receiver = client.createReceiver(queue, { receiveMode: 'receiveAndDelete' });
    const sent = Promise.all(Array.from({ length: 100 }, (_, body) => sender.sendMessages({ body })));
    const bodies = new Set<unknown>();
    for (let round = 0; round < 200 && bodies.size < 100; round += 1) {
      for (const message of await receiver.receiveMessages(7, { maxWaitTimeInMs: 20 }))
        bodies.add(message.body);
    }
    await sent;
    expect(bodies.size).toBe(100);
  });

  it('shows messages without taking them', async () => {
    const queue = await broker.queue();
    const client = broker.client();
    const receiver = client.createReceiver(queue);
    await client.createSender(queue).sendMessages([1, 2, 3].map((body) => ({ body })));
    await receiveOne(receiver);
    const all = await receiver.peekMessages(10);
    expect(all.map((message) => message.body)).toEqual([1, 2, 3]);
    const second = all[1]?.sequenceNumber;
    const rest = await broker
      .client()
      .createReceiver(queue)
      .peekMessages(1, second ? { fromSequenceNumber: second } : {});
    expect(rest.map((message) => message.body)).toEqual([2]);
  });

  it('settles through the management link once the receiver is closed', async () => {
    const queue = await broker.queue();
    const client = broker.client();
    await client.createSender(queue).sendMessages([{ body: 'done' }, { body: 'back' }, { body: 'bad' }]);
    const receiver = client.createReceiver(queue);
    const messages: { body: unknown }[] = [];
    const [done, back, bad] = await receiver.receiveMessages(3, { maxWaitTimeInMs: 2000 });
    if (!done || !back || !bad) throw new Error('Three messages were expected.');
    // The receiver's link is renewed by closing it under the hood, which is what an idle detach does.
    const { _context } = receiver as unknown as {
      _context: { messageReceivers: Record<string, { _link: { close(): Promise<void> } }> };
    };
    const [inner] = Object.values(_context.messageReceivers);
    await inner?._link.close();
    expect(receiver.isClosed).toBe(false);
    await receiver.completeMessage(done);
    await receiver.abandonMessage(back);
    await receiver.deadLetterMessage(bad, { deadLetterReason: 'why', deadLetterErrorDescription: 'because' });
    messages.push(...(await broker.client().createReceiver(queue).peekMessages(10)));
    expect(messages.map((message) => message.body)).toEqual(['back']);
    const dead = await receiveOne(client.createReceiver(queue, { subQueueType: 'deadLetter' }));
    expect([dead.deadLetterReason, dead.deadLetterErrorDescription]).toEqual(['why', 'because']);
  });

  it('hands messages to waiting receivers in turn', async () => {
    const queue = await broker.queue();
    const counts = [0, 0];
    const done = Promise.withResolvers<void>();
    counts.forEach((_, index) => {
      broker
        .client()
        .createReceiver(queue)
        .subscribe(
          {
            processMessage: async () => {
              counts[index] = (counts[index] ?? 0) + 1;
              if (counts.reduce((sum, count) => sum + count) === 20) done.resolve();
            },
            processError: async ({ error }) => done.reject(error),
          },
          { maxConcurrentCalls: 5 },
        );
    });
    const sender = broker.client().createSender(queue);
    await delay(300);
    for (let body = 0; body < 20; body += 1) await sender.sendMessages({ body });
    await done.promise;
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });

  it('takes a batch whole', async () => {
    const queue = await broker.queue();
    const client = broker.client();
    const sender = client.createSender(queue);
    const batch = await sender.createMessageBatch();
    expect(batch.maxSizeInBytes).toBe(262_144);
    for (let body = 0; body < 500; body += 1) expect(batch.tryAddMessage({ body })).toBe(true);
    await sender.sendMessages(batch);
    const receiver = client.createReceiver(queue);
    const bodies: unknown[] = [];
    while (bodies.length < 500) {
      for (const message of await receiver.receiveMessages(100, { maxWaitTimeInMs: 2000 })) {
        bodies.push(message.body);
        await receiver.completeMessage(message);
      }
    }
    expect(bodies).toEqual(Array.from({ length: 500 }, (_, index) => index));
  });

  it('refuses a message above 262144 bytes by itself and takes the next one', async () => {
    const queue = await broker.queue();
    const sender = broker.client().createSender(queue);
    await expect(sender.sendMessages({ body: Buffer.alloc(262_144) })).rejects.toMatchObject({
      code: 'MessageSizeExceeded',
    });
    await sender.sendMessages({ body: Buffer.alloc(260_000) });
  });

  it('ends attached links when it is deleted', async () => {
    const queue = await broker.queue();
    const client = broker.client();
    const failed = Promise.withResolvers<unknown>();
    client.createReceiver(queue).subscribe({
      processMessage: async () => undefined,
      processError: async ({ error }) => failed.resolve(error),
    });
    const sender = client.createSender(queue);
    await sender.sendMessages({ body: 1 });
    await broker.admin().deleteQueue(queue);
    expect(await failed.promise).toMatchObject({ code: 'MessagingEntityNotFound' });
    await expect(sender.sendMessages({ body: 2 })).rejects.toMatchObject({ code: 'MessagingEntityNotFound' });
  });
});

describe('dead letters', () => {
  it('carry reason, description and source, and can be completed', async () => {
    const queue = await broker.queue();
    const client = broker.client();
    const receiver = client.createReceiver(queue);
    await client.createSender(queue).sendMessages({ body: 1, applicationProperties: { kept: 'yes' } });
    await receiver.deadLetterMessage(await receiveOne(receiver), {
      deadLetterReason: 'broken',
      deadLetterErrorDescription: 'cannot be read',
      extra: 5,
    });
    const deadReceiver = client.createReceiver(queue, { subQueueType: 'deadLetter' });
    const dead = await receiveOne(deadReceiver);
    expect(dead.deadLetterReason).toBe('broken');
    expect(dead.deadLetterErrorDescription).toBe('cannot be read');
    expect(dead.deadLetterSource).toBe(queue);
    expect(dead.applicationProperties).toMatchObject({ kept: 'yes', extra: 5 });
    await deadReceiver.completeMessage(dead);
    expect(await deadReceiver.peekMessages(1)).toEqual([]);
  });

  it('come from too many deliveries', async () => {
    const queue = await broker.queue({ maxDeliveryCount: 2 });
    const client = broker.client();
    const receiver = client.createReceiver(queue);
    await client.createSender(queue).sendMessages({ body: 1 });
    await receiver.abandonMessage(await receiveOne(receiver));
    await receiver.abandonMessage(await receiveOne(receiver));
    const dead = await receiveOne(client.createReceiver(queue, { subQueueType: 'deadLetter' }));
    expect(dead.deadLetterReason).toBe('MaxDeliveryCountExceeded');
  });
});

describe('time to live', () => {
  it('ends a message that nobody takes', async () => {
    const queue = await broker.queue({ defaultTtlSeconds: 1 });
    const client = broker.client();
    await client.createSender(queue).sendMessages({ body: 1 });
    const receiver = client.createReceiver(queue);
    expect(await receiver.peekMessages(1)).toHaveLength(1);
    await delay(1200);
    expect(await receiver.peekMessages(1)).toEqual([]);
    expect(await client.createReceiver(queue, { subQueueType: 'deadLetter' }).peekMessages(1)).toEqual([]);
  });

  it('of the message counts when it is shorter, and dead-letters where the queue says so', async () => {
    const queue = await broker.queue({ defaultTtlSeconds: 60, deadLetteringOnMessageExpiration: true });
    const client = broker.client();
    await client.createSender(queue).sendMessages([{ body: 'short', timeToLive: 300 }, { body: 'long' }]);
    const dead = await receiveOne(client.createReceiver(queue, { subQueueType: 'deadLetter' }));
    expect([dead.body, dead.deadLetterReason]).toEqual(['short', 'TTLExpiredException']);
    const left = await receiveOne(client.createReceiver(queue));
    expect([left.body, left.timeToLive]).toEqual(['long', 60_000]);
  });

  it('does not take a message out of the hands of its receiver', async () => {
    const queue = await broker.queue();
    const client = broker.client();
    const receiver = client.createReceiver(queue);
    await client.createSender(queue).sendMessages({ body: 1, timeToLive: 500 });
    const message = await receiveOne(receiver);
    await delay(700);
    await receiver.completeMessage(message);
  });
});

describe('duplicate detection', () => {
  it('stores one message per id within the window', async () => {
    const queue = await broker.queue({ duplicateDetectionWindowSeconds: 2 });
    const client = broker.client();
    const sender = client.createSender(queue);
    const receiver = client.createReceiver(queue);
    await sender.sendMessages({ body: 1, messageId: 'same' });
    await receiver.completeMessage(await receiveOne(receiver));
    await sender.sendMessages({ body: 2, messageId: 'same' });
    await sender.sendMessages([
      { body: 3, messageId: 'same' },
      { body: 4, messageId: 'other' },
    ]);
    expect((await receiver.peekMessages(10)).map((message) => message.body)).toEqual([4]);
    await delay(2100);
    await sender.sendMessages({ body: 5, messageId: 'same' });
    // A client's peeks go on where its last one ended, so this takes a new one.
    const all = await broker.client().createReceiver(queue).peekMessages(10);
    expect(all.map((message) => message.body)).toEqual([4, 5]);
  });
});

describe('what is not there', () => {
  it('does not hide a missing queue', async () => {
    const error = await broker
      .client()
      .createSender('nowhere')
      .sendMessages({ body: 1 })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ServiceBusError);
    expect(error).toMatchObject({ code: 'MessagingEntityNotFound' });
  });
});
