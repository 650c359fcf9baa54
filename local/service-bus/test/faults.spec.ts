import { ServiceBusAdministrationClient } from '@azure/service-bus';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type FaultControl, faultControl } from '../faultControl.ts';
import type { FaultRequest } from '../faults.ts';
import {
  connectionString,
  listenRule,
  quickRetries,
  receiveOne,
  root,
  startTestBroker,
  type TestBroker,
} from './support.ts';

let broker: TestBroker;
let faults: FaultControl;
beforeAll(async () => {
  broker = await startTestBroker();
  faults = faultControl(broker.host, root);
});
afterEach(() => faults.set([]));
afterAll(() => broker.close());

/** Gives up after half a second, as the answer never comes. */
const impatient = { retryOptions: { maxRetries: 0, timeoutInMs: 500 } };
/** Tries again at once. */
const patient = { retryOptions: { maxRetries: 3, retryDelayInMs: 10, timeoutInMs: 1000 } };

const bodies = (messages: readonly { body: unknown }[]) => messages.map(({ body }) => body);

describe('faults at sending', () => {
  it.each([
    ['throttle', 'ServiceBusy'],
    ['quota', 'QuotaExceeded'],
  ] as const)('%s refuses one message, and the next passes', async (effect, code) => {
    const queue = await broker.queue();
    const sender = broker.client().createSender(queue);
    await faults.set([{ at: 'send', do: effect, entity: queue }]);
    await expect(sender.sendMessages({ body: 1 })).rejects.toMatchObject({ code });
    await sender.sendMessages({ body: 2 });
    expect(bodies(await broker.client().createReceiver(queue).peekMessages(5))).toEqual([2]);
    expect(await faults.list()).toMatchObject([{ times: 0, met: 1 }]);
  });

  it('drop acknowledges what is never stored', async () => {
    const queue = await broker.queue();
    const sender = broker.client().createSender(queue);
    await faults.set([{ at: 'send', do: 'drop', entity: queue, skip: 1 }]);
    for (const body of ['first', 'dropped', 'third']) await sender.sendMessages({ body });
    expect(bodies(await broker.client().createReceiver(queue).peekMessages(5))).toEqual(['first', 'third']);
  });

  it('can be kept to one session', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const sender = broker.client().createSender(queue);
    await faults.set([{ at: 'send', do: 'drop', entity: queue, session: 'b', times: 'always' }]);
    for (const sessionId of ['a', 'b', 'a']) await sender.sendMessages({ body: sessionId, sessionId });
    const receiver = await broker.client().acceptNextSession(queue);
    expect(bodies(await receiver.peekMessages(5))).toEqual(['a', 'a']);
    expect(await faults.list()).toMatchObject([{ session: 'b', met: 1 }]);
    await expect(faults.set([{ at: 'deliver', do: 'drop', session: 'b' }])).rejects.toThrow(
      'only a fault at send',
    );
  });

  it('duplicate stores twice, duplicate detection or not', async () => {
    const queue = await broker.queue({ duplicateDetectionWindowSeconds: 60 });
    await faults.set([{ at: 'send', do: 'duplicate', entity: queue }]);
    await broker.client().createSender(queue).sendMessages({ body: 1, messageId: 'same' });
    const found = await broker.client().createReceiver(queue).peekMessages(5);
    expect(found.map(({ messageId }) => messageId)).toEqual(['same', 'same']);
  });

  it('delay lets later messages overtake', async () => {
    const queue = await broker.queue();
    const sender = broker.client().createSender(queue);
    await faults.set([{ at: 'send', do: 'delay', entity: queue, delayMs: 300 }]);
    await sender.sendMessages({ body: 'late' });
    await sender.sendMessages({ body: 'early' });
    const receiver = broker.client().createReceiver(queue, { receiveMode: 'receiveAndDelete' });
    expect((await receiveOne(receiver)).body).toBe('early');
    expect((await receiveOne(receiver)).body).toBe('late');
  });

  it('reorder exchanges two neighbours, in a session, too', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const sender = broker.client().createSender(queue);
    await faults.set([{ at: 'send', do: 'reorder', entity: queue, delayMs: 60_000 }]);
    for (const body of [1, 2, 3]) await sender.sendMessages({ body, sessionId: 's' });
    const receiver = await broker.client().acceptSession(queue, 's', { receiveMode: 'receiveAndDelete' });
    const received = [await receiveOne(receiver), await receiveOne(receiver), await receiveOne(receiver)];
    expect(bodies(received)).toEqual([2, 1, 3]);
  });

  it('loseAnswer stores, and the sender hears nothing', async () => {
    const queue = await broker.queue();
    await faults.set([{ at: 'send', do: 'loseAnswer', entity: queue }]);
    const sender = broker.client(impatient).createSender(queue);
    await expect(sender.sendMessages({ body: 1 })).rejects.toMatchObject({ code: 'ServiceTimeout' });
    expect(bodies(await broker.client().createReceiver(queue).peekMessages(5))).toEqual([1]);
  });

  it.each([
    ['cutBefore', 1],
    ['cutAfter', 2],
  ] as const)('%s drops the connection, and the repetition makes %i message(s)', async (effect, count) => {
    const queue = await broker.queue();
    await faults.set([{ at: 'send', do: effect, entity: queue }]);
    await broker.client(patient).createSender(queue).sendMessages({ body: 1 });
    expect(await broker.client().createReceiver(queue).peekMessages(5)).toHaveLength(count);
  });
});

describe('faults at delivery', () => {
  it('drop leaves the message locked in nobody’s hands', async () => {
    const queue = await broker.queue({ lockDurationSeconds: 1 });
    await broker.client().createSender(queue).sendMessages({ body: 1 });
    await faults.set([{ at: 'deliver', do: 'drop', entity: queue }]);
    const again = await receiveOne(broker.client().createReceiver(queue));
    expect(again.deliveryCount).toBe(1);
  });

  it('duplicate hands the message over again at once; the first lock is lost', async () => {
    const queue = await broker.queue();
    await broker.client().createSender(queue).sendMessages({ body: 1 });
    await faults.set([{ at: 'deliver', do: 'duplicate', entity: queue }]);
    const receiver = broker.client().createReceiver(queue);
    const first = await receiveOne(receiver);
    const second = await receiveOne(receiver);
    expect([first.deliveryCount, second.deliveryCount]).toEqual([0, 1]);
    await expect(receiver.completeMessage(first)).rejects.toMatchObject({ code: 'MessageLockLost' });
    await receiver.completeMessage(second);
  });

  it('delay keeps one message back', async () => {
    const queue = await broker.queue();
    await broker
      .client()
      .createSender(queue)
      .sendMessages([{ body: 'late' }, { body: 'early' }]);
    await faults.set([{ at: 'deliver', do: 'delay', entity: queue, delayMs: 200 }]);
    const received = await broker
      .client()
      .createReceiver(queue)
      .receiveMessages(2, { maxWaitTimeInMs: 2000 });
    expect(bodies(received)).toEqual(['early', 'late']);
  });
});

describe('faults at settlement', () => {
  it('drop loses the settlement, so the message comes again', async () => {
    const queue = await broker.queue({ lockDurationSeconds: 1 });
    await broker.client().createSender(queue).sendMessages({ body: 1 });
    const receiver = broker.client(impatient).createReceiver(queue, { maxAutoLockRenewalDurationInMs: 0 });
    await faults.set([{ at: 'settle', do: 'drop', entity: queue }]);
    await expect(receiver.completeMessage(await receiveOne(receiver))).rejects.toMatchObject({
      code: 'ServiceTimeout',
    });
    expect((await receiveOne(receiver)).deliveryCount).toBe(1);
  });

  it.each([['loseAnswer'], ['cutAfter']] as const)(
    '%s settles, and the receiver cannot know',
    async (effect) => {
      const queue = await broker.queue();
      await broker.client().createSender(queue).sendMessages({ body: 1 });
      const receiver = broker.client(impatient).createReceiver(queue);
      await faults.set([{ at: 'settle', do: effect, entity: queue }]);
      await expect(receiver.completeMessage(await receiveOne(receiver))).rejects.toThrow();
      expect(await broker.client().createReceiver(queue).peekMessages(1)).toEqual([]);
    },
  );

  it('lockLost refuses, and the message comes again', async () => {
    const queue = await broker.queue();
    await broker.client().createSender(queue).sendMessages({ body: 1 });
    const receiver = broker.client().createReceiver(queue);
    await faults.set([{ at: 'settle', do: 'lockLost', entity: queue }]);
    await expect(receiver.completeMessage(await receiveOne(receiver))).rejects.toMatchObject({
      code: 'MessageLockLost',
    });
    await receiver.completeMessage(await receiveOne(receiver));
  });
});

describe('faults elsewhere', () => {
  it('throttle at attach and at management', async () => {
    const queue = await broker.queue();
    await faults.set([
      { at: 'attach', do: 'throttle', entity: queue },
      { at: 'manage', do: 'throttle', entity: queue },
    ]);
    const sender = broker.client().createSender(queue);
    await expect(sender.sendMessages({ body: 1 })).rejects.toMatchObject({ code: 'ServiceBusy' });
    await sender.sendMessages({ body: 2 });
    const receiver = broker.client().createReceiver(queue);
    await expect(receiver.peekMessages(1)).rejects.toMatchObject({ code: 'ServiceBusy' });
    expect(await receiver.peekMessages(1)).toHaveLength(1);
  });

  it('a lock lost where a deferred message is settled: it can be taken again', async () => {
    const queue = await broker.queue();
    const client = broker.client(quickRetries);
    await client.createSender(queue).sendMessages({ body: 1 });
    const receiver = client.createReceiver(queue);
    const message = await receiveOne(receiver);
    await receiver.deferMessage(message);
    const take = async () => {
      const [taken] = await receiver.receiveDeferredMessages(
        message.sequenceNumber === undefined ? [] : [message.sequenceNumber],
      );
      if (taken === undefined) throw new Error('It cannot be taken.');
      return taken;
    };
    const first = await take();
    await faults.set([{ at: 'settle', do: 'lockLost' }]);
    await expect(receiver.completeMessage(first)).rejects.toMatchObject({ code: 'MessageLockLost' });
    await receiver.completeMessage(await take());
    await expect(take()).rejects.toMatchObject({ code: 'MessageNotFound' });
  });

  it('throttle and quota at administration', async () => {
    const admin = broker.admin();
    const hasty = new ServiceBusAdministrationClient(connectionString(broker.host), {
      retryOptions: { maxRetries: 0 },
    });
    await faults.set([
      { at: 'administer', do: 'quota', entity: 'full*' },
      { at: 'administer', do: 'throttle', entity: 'busy', times: 'always' },
    ]);
    await expect(admin.createQueue('full-1')).rejects.toMatchObject({ code: 'QuotaExceededError' });
    await expect(hasty.createQueue('busy')).rejects.toMatchObject({ statusCode: 503 });
    await faults.set([]);
    await admin.createQueue('full-1');
  });

  it('refuses what makes no sense, with what would', async () => {
    const wrong = (fault: object) => expect(faults.set([fault as FaultRequest])).rejects;
    await wrong({ at: 'nowhere', do: 'drop' }).toThrow(/attach, send, deliver, settle, manage, administer/);
    await wrong({ at: 'deliver', do: 'quota' }).toThrow(/drop, duplicate, delay/);
    await wrong({ at: 'send', do: 'drop', times: -1 }).toThrow(/times/);
    await wrong({ at: 'send', do: 'drop', count: 1 }).toThrow(/no property .*count/);
  });

  it('takes nothing from a rule without Manage', async () => {
    await expect(faultControl(broker.host, listenRule).set([])).rejects.toThrow(/Manage/);
  });

  it('leaves everything alone when switched off', async () => {
    const queue = await broker.queue();
    await faults.set([{ at: 'send', do: 'throttle', times: 'always' }]);
    await faults.set([]);
    await broker.client(quickRetries).createSender(queue).sendMessages({ body: 1 });
  });
});
