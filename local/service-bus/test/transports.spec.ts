import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { quickRetries, receiveOne, startTestBroker, type TestBroker } from './support.ts';

let broker: TestBroker;
beforeAll(async () => {
  broker = await startTestBroker();
});
afterAll(() => broker.close());

describe('AMQP over WebSockets', () => {
  it('sends and receives on the same port', async () => {
    const queue = await broker.queue();
    const client = broker.client({ ...quickRetries, webSocketOptions: { webSocket: WebSocket } });
    const receiver = client.createReceiver(queue);
    await client.createSender(queue).sendMessages({ body: 'x'.repeat(200_000) });
    const message = await receiveOne(receiver);
    expect(message.body).toHaveLength(200_000);
    await receiver.completeMessage(message);
  });
});
