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
});
