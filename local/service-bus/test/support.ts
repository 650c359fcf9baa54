import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import {
  ServiceBusAdministrationClient,
  ServiceBusClient,
  type ServiceBusClientOptions,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
} from '@azure/service-bus';
import rhea, { type Connection, type EventContext } from 'rhea';
import { createAuthority } from '../../certificates/authority.ts';
import { type RunningBroker, startBroker } from '../broker.ts';
import type { BrokerConfig, DeclaredQueue, NamespaceConfig } from '../config.ts';
import { sharedAccessSignature } from '../tokens/sas.ts';

export const root = { name: 'root', key: 'root-key', rights: ['Manage', 'Send', 'Listen'] } as const;
export const listenRule = { name: 'listen', key: 'listen-key', rights: ['Listen'] } as const;
export const sendRule = { name: 'send', key: 'send-key', rights: ['Send'] } as const;

export interface TestBroker {
  /** `localhost:PORT` of the namespace `main`. */
  readonly host: string;
  readonly dir: string;
  readonly config: BrokerConfig;
  readonly broker: RunningBroker;
  /** A client with the root rule. Closed with the broker. */
  client(options?: ServiceBusClientOptions): ServiceBusClient;
  admin(): ServiceBusAdministrationClient;
  /** Makes a queue with a name of its own. */
  queue(settings?: Omit<DeclaredQueue, 'name'>): Promise<string>;
  close(): Promise<void>;
}

export interface TestOptions {
  readonly namespaces?: readonly NamespaceConfig[];
  readonly entra?: BrokerConfig['entra'];
  readonly synchronous?: BrokerConfig['synchronous'];
}

export const quickRetries: ServiceBusClientOptions = {
  retryOptions: { maxRetries: 0, retryDelayInMs: 50, timeoutInMs: 10_000 },
};

/** A folder with certificates that this process trusts from now on. */
export async function makeTrustedDir(): Promise<{ dir: string; tls: BrokerConfig['tls']; caFile: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'service-bus-'));
  const { caFile, certFile, keyFile } = await createAuthority(join(dir, 'certificates'));
  tls.setDefaultCACertificates([...tls.getCACertificates(), await readFile(caFile, 'utf8')]);
  return { dir, tls: { certFile, keyFile }, caFile };
}

export async function startTestBroker(options: TestOptions = {}): Promise<TestBroker> {
  const trusted = await makeTrustedDir();
  const config: BrokerConfig = {
    dataDir: join(trusted.dir, 'data'),
    synchronous: options.synchronous ?? 'NORMAL',
    tls: trusted.tls,
    namespaces: options.namespaces ?? [{ name: 'main', port: 0, rules: [root, listenRule, sendRule] }],
    ...(options.entra ? { entra: options.entra } : {}),
  };
  const broker = await startBroker(config);
  const host = broker.namespaces.main ?? '';
  const clients: ServiceBusClient[] = [];
  const admin = new ServiceBusAdministrationClient(connectionString(host));
  return {
    host,
    dir: trusted.dir,
    config,
    broker,
    client: (clientOptions = quickRetries) => {
      const client = new ServiceBusClient(connectionString(host), clientOptions);
      clients.push(client);
      return client;
    },
    admin: () => admin,
    queue: async (settings = {}) => {
      const name = `q-${randomUUID()}`;
      const iso = (seconds: number | undefined) => (seconds === undefined ? undefined : `PT${seconds}S`);
      const wanted = {
        lockDuration: iso(settings.lockDurationSeconds),
        maxDeliveryCount: settings.maxDeliveryCount,
        requiresSession: settings.requiresSession,
        defaultMessageTimeToLive: iso(settings.defaultTtlSeconds),
        requiresDuplicateDetection: settings.duplicateDetectionWindowSeconds === undefined ? undefined : true,
        duplicateDetectionHistoryTimeWindow: iso(settings.duplicateDetectionWindowSeconds),
        deadLetteringOnMessageExpiration: settings.deadLetteringOnMessageExpiration,
      };
      await admin.createQueue(
        name,
        Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined)),
      );
      return name;
    },
    close: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await broker.close();
      await rm(trusted.dir, { recursive: true, force: true });
    },
  };
}

export function connectionString(host: string, rule: { name: string; key: string } = root): string {
  return `Endpoint=sb://${host}/;SharedAccessKeyName=${rule.name};SharedAccessKey=${rule.key}`;
}

export const sasToken = (uri: string, rule: { name: string; key: string }, seconds = 3600): string =>
  sharedAccessSignature(uri, rule, seconds);

/** Exactly one message, or an error after five seconds. */
export async function receiveOne(receiver: ServiceBusReceiver): Promise<ServiceBusReceivedMessage> {
  const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 5000 });
  if (!message) throw new Error('No message came within 5 s.');
  return message;
}

/** A plain AMQP connection without any token, for what the SDK cannot show. */
export function connectRaw(host: string): Connection {
  const container = rhea.create_container();
  container.on('error', () => undefined);
  container.on('disconnected', () => undefined);
  const [name, port] = host.split(':');
  return container.connect({
    host: name ?? '',
    port: Number(port),
    transport: 'tls',
    servername: 'localhost',
    reconnect: false,
    ca: tls.getCACertificates('default'),
  } as never);
}

/** @returns the status that `$cbs` answers. */
export async function putToken(connection: Connection, uri: string, token: string): Promise<number> {
  const name = `replies-${randomUUID()}`;
  const replies = connection.open_receiver({ name, source: { address: '$cbs' } });
  const requests = connection.open_sender({ target: { address: '$cbs' } });
  const answered = once(replies, 'message');
  await once(requests, 'sendable');
  requests.send({
    message_id: 'token',
    reply_to: name,
    application_properties: { operation: 'put-token', type: 'servicebus.windows.net:sastoken', name: uri },
    body: token,
  } as never);
  const [context] = (await answered) as [EventContext];
  return Number(context.message?.application_properties?.['status-code']);
}
