import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Container, type ContainerRequest, CosmosClient, type CosmosClientOptions } from '@azure/cosmos';
import { createAuthority } from '../../certificates/authority.ts';
import { type CosmosConfig, type RunningCosmos, startCosmos } from '../server.ts';

export const masterKey = Buffer.from('a master key for these tests only').toString('base64');

export interface CosmosUnderTest {
  readonly config: CosmosConfig;
  readonly endpoint: string;
  /** PEM file of what vouches for its certificate. */
  readonly caFile: string;
  readonly agent: Agent;
  /** Ends the server and starts it again on the same files and port. */
  restart(): Promise<void>;
  client(options?: Partial<CosmosClientOptions>): CosmosClient;
  /** A new container, with the partition key /pk unless told otherwise. */
  newContainer(options?: Partial<ContainerRequest>): Promise<Container>;
  /** Sends something the SDK would not, with the master key. */
  local(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
  close(): Promise<void>;
}

export async function startedCosmos(changes: Partial<CosmosConfig> = {}): Promise<CosmosUnderTest> {
  const dataDir = await mkdtemp(join(tmpdir(), 'cosmos-'));
  const tls = await createAuthority(join(dataDir, 'certificates'));
  const agent = new Agent({ ca: await readFile(tls.caFile), keepAlive: true });
  let config: CosmosConfig = { dataDir, port: 0, masterKey, tls, ...changes };
  let running: RunningCosmos = await startCosmos(config);
  const { endpoint } = running;
  config = { ...config, port: Number(new URL(endpoint).port) };
  const clients: CosmosClient[] = [];
  const client = (options: Partial<CosmosClientOptions> = {}) => {
    const made = new CosmosClient({
      endpoint,
      agent,
      ...(options.aadCredentials ? {} : { key: masterKey }),
      ...options,
    });
    clients.push(made);
    return made;
  };
  let containers = 0;
  return {
    config,
    endpoint,
    caFile: tls.caFile,
    agent,
    client,
    async restart() {
      await running.close();
      running = await startCosmos(config);
    },
    async newContainer(options = {}) {
      containers += 1;
      const { database } = await client().databases.createIfNotExists({ id: 'tests' });
      const { container } = await database.containers.create({
        id: `container-${containers}`,
        partitionKey: { paths: ['/pk'] },
        ...options,
      });
      return container;
    },
    local: (method, path, body) => sendSigned(endpoint, agent, method, path, body),
    async close() {
      for (const one of clients) one.dispose();
      await running.close();
      agent.destroy();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function sendSigned(endpoint: string, agent: Agent, method: string, path: string, body: unknown) {
  const { createHmac } = await import('node:crypto');
  const { request } = await import('node:https');
  const segments = path.split('/').filter((one) => one !== '');
  const isFeed = segments.length % 2 === 1;
  const type = isFeed ? segments.at(-1) : segments.at(-2);
  const link = (isFeed ? segments.slice(0, -1) : segments).join('/');
  const date = new Date().toUTCString();
  const signature = createHmac('sha256', Buffer.from(masterKey, 'base64'))
    .update(`${method.toLowerCase()}\n${type}\n${link}\n${date.toLowerCase()}\n\n`)
    .digest('base64');
  const authorization = encodeURIComponent(`type=master&ver=1.0&sig=${signature}`);
  return new Promise<{ status: number; body: unknown }>((resolve, reject) => {
    const outgoing = request(`${endpoint}/${path}`, {
      method,
      agent,
      headers: { authorization, 'x-ms-date': date },
    });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({
          status: response.statusCode ?? 0,
          body: text === '' ? undefined : (JSON.parse(text) as unknown),
        });
      });
    });
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** The code and substatus an SDK call was refused with. */
export async function refusal(
  promise: Promise<unknown>,
): Promise<{ code: unknown; substatus: unknown; message: string }> {
  try {
    await promise;
  } catch (error) {
    const { code, substatus, message } = error as { code?: unknown; substatus?: unknown; message: string };
    return { code, substatus, message };
  }
  throw new Error('The call was expected to be refused and was not.');
}
