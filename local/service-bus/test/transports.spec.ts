import { once } from 'node:events';
import { get } from 'node:https';
import tls from 'node:tls';
import { ServiceBusClient } from '@azure/service-bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import {
  connectionString,
  quickRetries,
  receiveOne,
  root,
  startTestBroker,
  type TestBroker,
} from './support.ts';

let broker: TestBroker;
let port: number;
beforeAll(async () => {
  broker = await startTestBroker({
    namespaces: [
      { name: 'main', port: 0, rules: [root], queues: [{ name: 'same' }] },
      { name: 'second', port: 0, rules: [root], queues: [{ name: 'same' }] },
    ],
  });
  port = Number(broker.host.split(':')[1]);
});
afterAll(() => broker.close());

async function rawSocket(): Promise<tls.TLSSocket> {
  const socket = tls.connect({ host: 'localhost', port });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

describe('one TLS port', () => {
  it.each([
    ['ws', WebSocket],
    ['the global WebSocket', globalThis.WebSocket],
  ])('carries AMQP over WebSockets with %s', async (_, webSocket) => {
    const queue = await broker.queue();
    const client = broker.client({ ...quickRetries, webSocketOptions: { webSocket } });
    const receiver = client.createReceiver(queue);
    await client.createSender(queue).sendMessages({ body: 'x'.repeat(200_000) });
    const message = await receiveOne(receiver);
    expect(message.body).toHaveLength(200_000);
    await receiver.completeMessage(message);
  });

  it('knows AMQP also when its first bytes come one by one', async () => {
    const socket = await rawSocket();
    socket.setNoDelay(true);
    const answered = once(socket, 'data');
    for (const byte of [0x41, 0x4d, 0x51, 0x50, 0, 1, 0, 0]) {
      await new Promise<void>((resolve) => socket.write(Buffer.from([byte]), () => setImmediate(resolve)));
    }
    const [bytes] = (await answered) as [Buffer];
    expect(bytes.subarray(0, 4).toString()).toBe('AMQP');
    socket.destroy();
  });

  it('refuses WebSockets on another path', async () => {
    const socket = new WebSocket(`wss://localhost:${port}/other`, 'AMQPWSB10');
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toMatch(/404/);
  });

  it('survives noise', async () => {
    const noise = await rawSocket();
    noise.write('\u0000\u0001\u0002 neither of the two\r\n\r\n');
    noise.resume();
    await once(noise, 'close');
    const broken = await rawSocket();
    broken.write(
      Buffer.concat([
        Buffer.from('AMQP\u0000\u0001\u0000\u0000'),
        Buffer.from([0, 0, 0, 12, 2, 0, 0, 0, 9, 9, 9, 9]),
      ]),
    );
    broken.resume();
    await once(broken, 'close');
    const status = await new Promise((resolve, reject) => {
      get({ host: 'localhost', port, path: '/same', agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on('error', reject);
    });
    expect(status).toBe(401);
  });

  it('keeps namespaces apart', async () => {
    const second = new ServiceBusClient(
      connectionString(broker.broker.namespaces.second ?? ''),
      quickRetries,
    );
    try {
      await broker.client().createSender('same').sendMessages({ body: 'main' });
      await second.createSender('same').sendMessages({ body: 'second' });
      const bodies = async (client: ServiceBusClient) =>
        (await client.createReceiver('same').peekMessages(10)).map((message) => message.body as unknown);
      expect(await bodies(broker.client())).toEqual(['main']);
      expect(await bodies(second)).toEqual(['second']);
    } finally {
      await second.close();
    }
  });
});
