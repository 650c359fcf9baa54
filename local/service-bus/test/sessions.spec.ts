import type { ServiceBusClient } from '@azure/service-bus';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { receiveOne, startTestBroker, type TestBroker } from './support.ts';

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker();
});
afterAll(() => broker.close());

interface Management {
  listMessageSessions(skip: number, top: number): Promise<string[]>;
  getSessionState(sessionId: string): Promise<unknown>;
}

/** Operations that the SDK has without a public way to them. */
const managementOf = (client: ServiceBusClient, queue: string): Management =>
  (
    client as unknown as { _connectionContext: { getManagementClient(path: string): Management } }
  )._connectionContext.getManagementClient(queue);

describe('a queue with sessions', () => {
  it('keeps the order of each session, whatever comes in between', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const client = broker.client();
    const sender = client.createSender(queue);
    for (let number = 0; number < 30; number += 1) {
      await sender.sendMessages({ body: number, sessionId: `s-${number % 3}` });
    }
    for (const id of ['s-0', 's-1', 's-2']) {
      const receiver = await client.acceptSession(queue, id);
      const bodies: unknown[] = [];
      for (let count = 0; count < 10; count += 1) {
        const message = await receiveOne(receiver);
        bodies.push(message.body);
        await receiver.completeMessage(message);
      }
      expect(bodies).toEqual(Array.from({ length: 10 }, (_, index) => index * 3 + Number(id.at(-1))));
      await receiver.close();
    }
  });

  it('starts an interrupted session again at its first open message', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const client = broker.client();
    await client
      .createSender(queue)
      .sendMessages(['a', 'b', 'c', 'd'].map((body) => ({ body, sessionId: 's' })));
    const first = await client.acceptSession(queue, 's');
    const taken = await first.receiveMessages(3, { maxWaitTimeInMs: 1000 });
    expect(taken.map((message) => message.body)).toEqual(['a', 'b', 'c']);
    await first.completeMessage(taken[0] as (typeof taken)[number]);
    await first.close();

    const second = await client.acceptSession(queue, 's');
    const rest = await second.receiveMessages(3, { maxWaitTimeInMs: 1000 });

    expect(rest.map((message) => [message.body, message.deliveryCount])).toEqual([
      ['b', 0],
      ['c', 0],
      ['d', 0],
    ]);
  });

  it('is held by one receiver at a time', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const holder = await broker.client().acceptSession(queue, 's');
    await expect(broker.client().acceptSession(queue, 's')).rejects.toMatchObject({
      code: 'SessionCannotBeLocked',
    });
    await holder.close();
    const next = await broker.client().acceptSession(queue, 's');
    expect(next.sessionId).toBe('s');
  });

  it('grants a named session without messages, which then get there at once', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const receiver = await broker.client().acceptSession(queue, 'mailbox');
    const received = receiveOne(receiver);
    await broker.client().createSender(queue).sendMessages({ body: 'command', sessionId: 'mailbox' });
    expect((await received).body).toBe('command');
  });

  it('gives the session that has waited longest to who asks for the next one', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const client = broker.client();
    const sender = client.createSender(queue);
    for (const sessionId of ['first', 'second']) await sender.sendMessages({ body: 1, sessionId });
    expect((await client.acceptNextSession(queue)).sessionId).toBe('first');
    expect((await client.acceptNextSession(queue)).sessionId).toBe('second');
  });

  it('gives each of many waiting receivers on one connection a session of its own', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const client = broker.client();
    const waiting = Array.from({ length: 40 }, () => client.acceptNextSession(queue));
    const sender = broker.client().createSender(queue);
    const ids = waiting.map((_, index) => `s-${index}`);
    await sender.sendMessages(ids.map((sessionId) => ({ body: sessionId, sessionId })));
    const receivers = await Promise.all(waiting);
    expect(receivers.map((receiver) => receiver.sessionId).sort()).toEqual([...ids].sort());
    for (const receiver of receivers) expect((await receiveOne(receiver)).body).toBe(receiver.sessionId);
  });

  it('says ServiceTimeout when no session turns up in time', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const client = broker.client({ retryOptions: { maxRetries: 0, timeoutInMs: 1500 } });
    await expect(client.acceptNextSession(queue)).rejects.toMatchObject({ code: 'ServiceTimeout' });
  });

  it('renews a session lock, and ends the receiver when it runs out', async () => {
    const queue = await broker.queue({ requiresSession: true, lockDurationSeconds: 1 });
    const client = broker.client();
    await client.createSender(queue).sendMessages({ body: 1, sessionId: 's' });
    const receiver = await client.acceptSession(queue, 's', { maxAutoLockRenewalDurationInMs: 0 });
    const message = await receiveOne(receiver);
    const before = receiver.sessionLockedUntilUtc.getTime();
    await delay(500);
    const renewed = await receiver.renewSessionLock();
    expect(renewed.getTime()).toBeGreaterThan(before);

    const next = await client.acceptNextSession(queue);

    expect(Date.now()).toBeGreaterThanOrEqual(renewed.getTime());
    expect(next.sessionId).toBe('s');
    expect((await receiveOne(next)).deliveryCount).toBe(1);
    await expect(receiver.completeMessage(message)).rejects.toMatchObject({ code: 'SessionLockLost' });
  });

  it('takes a session whose lock ran out also from a receiver that could take more', async () => {
    const queue = await broker.queue({ requiresSession: true, lockDurationSeconds: 1 });
    const client = broker.client();
    await client.createSender(queue).sendMessages({ body: 1, sessionId: 's' });
    const receiver = await client.acceptSession(queue, 's', { maxAutoLockRenewalDurationInMs: 0 });
    const taken = Promise.withResolvers<void>();
    const lost = Promise.withResolvers<unknown>();
    receiver.subscribe(
      {
        processMessage: async () => taken.resolve(),
        processError: async ({ error }) => lost.resolve(error),
      },
      { maxConcurrentCalls: 10, autoCompleteMessages: false },
    );
    await taken.promise;
    const next = await broker.client().acceptNextSession(queue);
    expect((await receiveOne(next)).deliveryCount).toBe(1);
    expect(await lost.promise).toMatchObject({ code: 'SessionLockLost' });
  });

  it('refuses messages without session id, and receivers that ask for no session', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const client = broker.client();
    await expect(client.createSender(queue).sendMessages({ body: 1 })).rejects.toThrow(
      /SessionId was not set/,
    );
    await expect(client.createReceiver(queue).receiveMessages(1)).rejects.toThrow(/requires sessions/);
    const plain = await broker.queue();
    await expect(client.acceptSession(plain, 's')).rejects.toThrow(
      /does not require sessions|do not require/,
    );
  });

  it('keeps state with a session, also without messages, until it is cleared', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const client = broker.client();
    const first = await client.acceptSession(queue, 's');
    expect(await first.getSessionState()).toBeNull();
    await first.setSessionState({ step: 3 });
    await first.close();
    const second = await client.acceptSession(queue, 's');
    expect(await second.getSessionState()).toEqual({ step: 3 });
    await second.setSessionState(null);
    expect(await second.getSessionState()).toBeNull();
  });

  it('gives session state to the holder only', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const receiver = await broker.client().acceptSession(queue, 's');
    await receiver.setSessionState('mine');
    await expect(managementOf(broker.client(), queue).getSessionState('s')).rejects.toMatchObject({
      code: 'SessionLockLost',
    });
    expect(await receiver.getSessionState()).toBe('mine');
  });

  it('peeks within one session', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const client = broker.client();
    await client
      .createSender(queue)
      .sendMessages(['a', 'b', 'a'].map((sessionId, index) => ({ sessionId, body: index })));
    const receiver = await client.acceptSession(queue, 'a');
    expect((await receiver.peekMessages(5)).map(({ body }) => body as number)).toEqual([0, 2]);
    // A client of its own: the SDK goes on where it last peeked.
    const everything = broker.client().createReceiver(queue);
    expect((await everything.peekMessages(5)).map(({ body }) => body as number)).toEqual([0, 1, 2]);
  });

  it('lists sessions with messages or a state', async () => {
    const queue = await broker.queue({ requiresSession: true });
    const client = broker.client();
    await client.createSender(queue).sendMessages(['b', 'a'].map((sessionId) => ({ sessionId, body: 1 })));
    const receiver = await client.acceptSession(queue, 'with state');
    await receiver.setSessionState('x');
    const management = managementOf(client, queue);
    expect(await management.listMessageSessions(0, 2)).toEqual(['a', 'b']);
    expect(await management.listMessageSessions(2, 2)).toEqual(['with state']);
    expect(await management.listMessageSessions(3, 2)).toEqual([]);
  });
});
