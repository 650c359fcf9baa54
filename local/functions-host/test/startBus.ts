import { readFileSync } from 'node:fs';
import path from 'node:path';
import tls from 'node:tls';
import type { ServiceBusMessage, ServiceBusSender } from '@azure/service-bus';
import { ServiceBusClient } from '@azure/service-bus';
import { createAuthority } from '../../certificates/authority.ts';
import { startBroker } from '../../service-bus/broker.ts';
import type { BrokerConfig, DeclaredQueue } from '../../service-bus/config.ts';
import { atEnd, temporaryFolder } from './startHost.ts';

/** Certificates for localhost that this process trusts from now on. */
export async function trustedTls(): Promise<{ certFile: string; keyFile: string; caFile: string }> {
  const { caFile, certFile, keyFile } = await createAuthority(path.join(temporaryFolder(), 'certificates'));
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), readFileSync(caFile, 'utf8')]);
  return { certFile, keyFile, caFile };
}

export interface TestBus {
  connectionString: string;
  client: ServiceBusClient;
  send(queue: string, ...messages: ServiceBusMessage[]): Promise<void>;
  /** Ends the broker; starts it again on the same port and data with `restart`. */
  stop(): Promise<void>;
  restart(): Promise<void>;
}

export async function startBus(queues: readonly DeclaredQueue[]): Promise<TestBus> {
  const rule = { name: 'root', key: 'root-key', rights: ['Manage', 'Send', 'Listen'] } as const;
  const config = (port: number): BrokerConfig => ({
    dataDir: folder,
    synchronous: 'NORMAL',
    tls: certificates,
    namespaces: [{ name: 'main', port, rules: [rule], queues }],
  });
  const certificates = await trustedTls();
  const folder = path.join(temporaryFolder(), 'bus');
  let broker = await startBroker(config(0));
  const address = broker.namespaces.main ?? '';
  const connectionString = `Endpoint=sb://${address}/;SharedAccessKeyName=${rule.name};SharedAccessKey=${rule.key}`;
  const client = new ServiceBusClient(connectionString, { retryOptions: { retryDelayInMs: 100 } });
  const senders = new Map<string, ServiceBusSender>();
  atEnd(async () => {
    await client.close();
    await broker.close();
  });
  return {
    connectionString,
    client,
    send: async (queue, ...messages) => {
      const sender = senders.get(queue) ?? client.createSender(queue);
      senders.set(queue, sender);
      await sender.sendMessages(messages);
    },
    stop: () => broker.close(),
    restart: async () => {
      broker = await startBroker(config(Number(address.split(':')[1])));
    },
  };
}
