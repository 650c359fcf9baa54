import type { ServiceBusReceivedMessage } from '@azure/service-bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { receiveOne, startTestBroker, type TestBroker } from './support.ts';

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker();
});
afterAll(() => broker.close());

const numberOf = (message: ServiceBusReceivedMessage) => {
  if (!message.sequenceNumber) throw new Error('The message has no sequence number.');
  return message.sequenceNumber;
};

describe('deferral', () => {
  it('puts a message aside until it is asked for by its number', async () => {
    const queue = await broker.queue();
    const receiver = broker.client().createReceiver(queue);
    await broker
      .client()
      .createSender(queue)
      .sendMessages([{ body: 'later' }, { body: 'now' }]);
    const deferred = await receiveOne(receiver);
    await receiver.deferMessage(deferred, { why: 'not yet' });
    await receiver.completeMessage(await receiveOne(receiver));
    expect(await receiver.receiveMessages(1, { maxWaitTimeInMs: 100 })).toEqual([]);
    expect(await receiver.peekMessages(5)).toMatchObject([{ body: 'later', state: 'deferred' }]);

    const [again] = await receiver.receiveDeferredMessages(numberOf(deferred));

    expect(again).toMatchObject({
      body: 'later',
      state: 'deferred',
      applicationProperties: { why: 'not yet' },
    });
    if (again) await receiver.completeMessage(again);
    expect(await receiver.peekMessages(5, { fromSequenceNumber: numberOf(deferred) })).toEqual([]);
  });

  it('keeps an abandoned deferred message deferred, and dead-letters it', async () => {
    const queue = await broker.queue();
    const receiver = broker.client().createReceiver(queue);
    await broker.client().createSender(queue).sendMessages({ body: 1 });
    const message = await receiveOne(receiver);
    await receiver.deferMessage(message);
    const receive = async () => {
      const [deferred] = await receiver.receiveDeferredMessages([numberOf(message)]);
      if (!deferred) throw new Error('No deferred message.');
      return deferred;
    };
    await receiver.abandonMessage(await receive(), { attempt: 1 });
    const second = await receive();
    expect(second.applicationProperties).toEqual({ attempt: 1 });
    await expect(receive()).rejects.toMatchObject({ code: 'MessageNotFound' });
    await receiver.renewMessageLock(second);
    await receiver.deadLetterMessage(second, { deadLetterReason: 'enough', deadLetterErrorDescription: '' });
    const dead = broker.client().createReceiver(queue, { subQueueType: 'deadLetter' });
    expect(await dead.peekMessages(1)).toMatchObject([{ deadLetterReason: 'enough', state: 'active' }]);
  });

  it('deletes a deferred message at receive in that mode, and knows no other numbers', async () => {
    const queue = await broker.queue();
    const client = broker.client();
    await client.createSender(queue).sendMessages([{ body: 1 }, { body: 2 }]);
    const receiver = client.createReceiver(queue);
    const first = await receiveOne(receiver);
    const second = await receiveOne(receiver);
    await receiver.deferMessage(first);
    const deleting = client.createReceiver(queue, { receiveMode: 'receiveAndDelete' });
    await expect(deleting.receiveDeferredMessages([numberOf(first), numberOf(second)])).rejects.toMatchObject(
      { code: 'MessageNotFound' },
    );
    expect(await deleting.receiveDeferredMessages(numberOf(first))).toMatchObject([{ body: 1 }]);
    await expect(deleting.receiveDeferredMessages(numberOf(first))).rejects.toThrow(/sequence number 1/);
  });

  it('works within a session, for its holder only', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const client = broker.client();
    await client.createSender(queue).sendMessages([
      { body: 'a1', sessionId: 'a' },
      { body: 'b1', sessionId: 'b' },
    ]);
    const a = await client.acceptSession(queue, 'a');
    const b = await client.acceptSession(queue, 'b');
    const message = await receiveOne(a);
    await a.deferMessage(message);
    await expect(b.receiveDeferredMessages(numberOf(message))).rejects.toMatchObject({
      code: 'MessageNotFound',
    });
    await a.close();
    const again = await client.acceptSession(queue, 'a');
    expect(await again.receiveMessages(1, { maxWaitTimeInMs: 100 })).toEqual([]);
    const [deferred] = await again.receiveDeferredMessages(numberOf(message));
    expect(deferred?.body).toBe('a1');
    if (deferred) await again.completeMessage(deferred);
  });
});

describe('scheduled messages', () => {
  it('appear when they are due, with a new number at the end of the queue', async () => {
    const queue = await broker.queue();
    const sender = broker.client().createSender(queue);
    const receiver = broker.client().createReceiver(queue);
    const due = new Date(Date.now() + 700);
    const [number] = await sender.scheduleMessages({ body: 'scheduled', timeToLive: 60_000 }, due);
    await sender.sendMessages([
      { body: 'annotated', scheduledEnqueueTimeUtc: new Date(due.getTime() + 100) },
      { body: 'at once' },
    ]);
    expect(await receiver.peekMessages(5)).toMatchObject([
      { body: 'scheduled', state: 'scheduled' },
      { body: 'annotated', state: 'scheduled' },
      { body: 'at once', state: 'active' },
    ]);
    expect(await broker.admin().getQueueRuntimeProperties(queue)).toMatchObject({
      activeMessageCount: 1,
      scheduledMessageCount: 2,
      totalMessageCount: 3,
    });
    const received = [await receiveOne(receiver), await receiveOne(receiver), await receiveOne(receiver)];
    expect(received.map(({ body }) => body as string)).toEqual(['at once', 'scheduled', 'annotated']);
    const scheduled = received[1];
    expect(scheduled?.enqueuedTimeUtc?.getTime()).toBeGreaterThanOrEqual(due.getTime());
    expect(scheduled?.sequenceNumber?.gt(number ?? 0)).toBe(true);
    expect(scheduled?.expiresAtUtc?.getTime()).toBeGreaterThanOrEqual(due.getTime() + 60_000);
  });

  it('can be cancelled until then', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const sender = broker.client().createSender(queue);
    const numbers = await sender.scheduleMessages(
      [
        { body: 1, sessionId: 's' },
        { body: 2, sessionId: 's' },
      ],
      new Date(Date.now() + 60_000),
    );
    expect(numbers.map(String)).toEqual(['1', '2']);
    await sender.cancelScheduledMessages(numbers);
    expect(await broker.client().createReceiver(queue).peekMessages(1)).toEqual([]);
    await expect(sender.cancelScheduledMessages(numbers)).rejects.toMatchObject({ code: 'MessageNotFound' });
    await expect(
      sender.scheduleMessages({ body: 'no session' }, new Date(Date.now() + 60_000)),
    ).rejects.toThrow(/SessionId was not set/);
  });
});
