import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createAuthority } from './certificates/authority.ts';
import { choosePorts, type Ports } from './ports.ts';
import { type SpawnedPart, spawnPart } from './spawnPart.ts';

const root = join(import.meta.dirname, '..');
const part = (name: string): string => join(import.meta.dirname, name, 'main.ts');

export interface CloudOptions {
  /** Everything the cloud keeps lies here. */
  readonly dataDir: string;
  /** App processes on the one store; two by default, so that nothing can rest on shared memory. */
  readonly appProcesses?: number;
  /** How far the wall clock of each app process is ahead of this machine's, in seconds: `[0, 2]`. */
  readonly appClockSkewSeconds?: readonly number[];
  /** How the stores write: FULL survives a power cut, NORMAL the death of a process. */
  readonly synchronous?: 'FULL' | 'NORMAL';
  readonly heartbeatSeconds?: number;
  /** More app settings, for tests. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Secrets of one data folder, made on first start. */
interface Secrets {
  readonly identityHeader: string;
  readonly cosmosKey: string;
  readonly storageKey: string;
  readonly masterKey: string;
  readonly listenKey: string;
  readonly sendKey: string;
  readonly rootKey: string;
}

interface SeedFile {
  readonly api: { readonly clientId: string; readonly identifierUri: string };
  readonly tenants: readonly {
    readonly id: string;
    readonly name: string;
    readonly applications: readonly {
      readonly name: string;
      readonly clientId: string;
      readonly secret: string;
    }[];
    readonly managedIdentities: readonly { readonly clientId: string; readonly oid: string }[];
  }[];
  readonly publicClients: readonly { readonly name: string; readonly clientId: string }[];
}

export interface HostEndpoints {
  readonly url: string;
  readonly pid: number;
  readonly appProcesses: readonly number[];
}

/** The whole local cloud: every stand-in in a process of its own, and the app on top. */
export interface Cloud {
  /** `https://localhost:PORT`, the address of the API. */
  readonly url: string;
  readonly caFile: string;
  readonly authority: string;
  readonly tenants: SeedFile['tenants'];
  readonly apiScope: string;
  readonly publicClientId: string;
  readonly masterKey: string;
  readonly cosmos: { readonly endpoint: string; readonly masterKey: string };
  /** Namespaces as `localhost:PORT`, and a rule of each that may do everything, its faults included. */
  readonly serviceBus: {
    readonly hosts: readonly string[];
    readonly rule: { readonly name: string; readonly key: string };
  };
  readonly dataDir: string;
  readonly parts: {
    readonly identity: SpawnedPart<object>;
    readonly cosmos: SpawnedPart<object>;
    readonly serviceBus: SpawnedPart<object>;
    readonly storage: SpawnedPart<object>;
    readonly host: SpawnedPart<HostEndpoints>;
  };
  /** Starts a part anew after it died; the others keep running and find it at its old address. */
  restart(name: keyof Cloud['parts']): Promise<void>;
  stop(): Promise<void>;
}

const database = 'live-response';
const storageAccount = 'liveresponse';
const rootRule = 'root';
/** What the app finds in its stores; the infrastructure is compared with it. */
export const containers = [
  { id: 'events', partitionKey: '/pk' },
  { id: 'views', partitionKey: '/pk' },
  { id: 'presence', partitionKey: '/pk', defaultTtl: -1 },
  { id: 'leases', partitionKey: '/id' },
  { id: 'deadletters', partitionKey: '/pk' },
];

export const blobContainers = ['output', 'collected', 'library', 'anchors'];

export const upwardQueues = [
  { name: 'devices/presence', maxDeliveryCount: 100, defaultTtlSeconds: 3600, lockDurationSeconds: 60 },
  { name: 'devices/messages', requiresSession: true, maxDeliveryCount: 100, lockDurationSeconds: 60 },
];

/** Starts the cloud. `dist/` must be built: what runs is the bundle that would be deployed. */
export const startCloud = async (options: CloudOptions): Promise<Cloud> => {
  if (!existsSync(join(root, 'dist', 'app.cjs'))) {
    throw new Error('dist/app.cjs is missing. Build it first: npm run build');
  }
  const { dataDir } = options;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const logs = join(dataDir, 'run');
  const tls = await createAuthority(join(dataDir, 'certificates'));
  const [ports, secrets, seed] = await Promise.all([
    choosePorts(dataDir),
    readSecrets(dataDir),
    readSeed(),
    commandKey(dataDir),
  ]);
  const synchronous = options.synchronous ?? 'FULL';
  const authority = `https://localhost:${ports.identity}`;
  const own = seed.tenants[0]?.managedIdentities[0];
  if (own === undefined) throw new Error('The seed names no managed identity for the function app.');
  const issuers = seed.tenants.map(({ id }) => `${authority}/${id}/v2.0`);
  const jwksUrl = `${authority}/common/discovery/v2.0/keys`;
  const environment = { NODE_EXTRA_CA_CERTS: tls.caFile };

  const starts = {
    identity: () =>
      spawnPart<object>(
        'identity',
        part('identity'),
        {
          dataDir: join(dataDir, 'identity'),
          port: ports.identity,
          msiPort: ports.managedIdentity,
          identityHeader: secrets.identityHeader,
          tls,
        },
        { dir: logs, environment },
      ),
    cosmos: () =>
      spawnPart<object>(
        'cosmos',
        part('cosmos'),
        {
          dataDir: join(dataDir, 'cosmos'),
          port: ports.cosmos,
          synchronous,
          masterKey: secrets.cosmosKey,
          tls,
          entra: { issuers, jwksUrl, principals: { [own.oid]: 'contributor' } },
          databases: [{ id: database, containers }],
        },
        { dir: logs, environment },
      ),
    serviceBus: () =>
      spawnPart<object>(
        'service-bus',
        part('service-bus'),
        {
          dataDir: join(dataDir, 'service-bus'),
          synchronous,
          tls,
          namespaces: [0, 1].map((index) => ({
            name: `devices-${index}`,
            port: index === 0 ? ports.devices0 : ports.devices1,
            rules: [
              { name: 'agents-listen', key: `${secrets.listenKey}${index}`, rights: ['Listen'] },
              { name: 'agents-send', key: `${secrets.sendKey}${index}`, rights: ['Send'] },
              { name: rootRule, key: secrets.rootKey, rights: ['Manage', 'Send', 'Listen'] },
            ],
            queues: upwardQueues,
          })),
          entra: { issuers, jwksUrl, principals: { [own.oid]: ['Send', 'Listen', 'Manage'] } },
        },
        { dir: logs, environment },
      ),
    storage: () =>
      spawnPart<object>(
        'storage',
        part('storage'),
        {
          dataDir: join(dataDir, 'storage'),
          port: ports.storage,
          tls,
          account: { name: storageAccount, key: secrets.storageKey },
          containers: blobContainers,
        },
        { dir: logs, environment },
      ),
    host: () =>
      spawnPart<HostEndpoints>(
        'functions-host',
        part('functions-host'),
        {
          appRoot: root,
          dataDir: join(dataDir, 'functions-host'),
          appProcesses: options.appProcesses ?? 2,
          faults: { clockSkewSeconds: options.appClockSkewSeconds ?? [] },
          http: { port: ports.api, tls },
          masterKey: secrets.masterKey,
          settings: {
            ...appSettings(
              ports,
              secrets,
              seed,
              authority,
              own.clientId,
              dataDir,
              options.heartbeatSeconds ?? 10,
            ),
            ...options.settings,
          },
        },
        { dir: logs, environment },
      ),
  };

  const started: SpawnedPart<unknown>[] = [];
  const begin = async <Endpoints>(
    start: () => Promise<SpawnedPart<Endpoints>>,
  ): Promise<SpawnedPart<Endpoints>> => {
    const spawned = await start();
    started.push(spawned);
    return spawned;
  };
  try {
    const identity = await begin(starts.identity);
    const [cosmos, serviceBus, storage] = await Promise.all([
      begin(starts.cosmos),
      begin(starts.serviceBus),
      begin(starts.storage),
    ]);
    const host = await begin(starts.host);
    const parts = { identity, cosmos, serviceBus, storage, host };
    return {
      url: host.endpoints.url,
      caFile: tls.caFile,
      authority,
      tenants: seed.tenants,
      apiScope: `${seed.api.identifierUri}/.default`,
      publicClientId: seed.publicClients[0]?.clientId ?? '',
      masterKey: secrets.masterKey,
      cosmos: { endpoint: `https://localhost:${ports.cosmos}`, masterKey: secrets.cosmosKey },
      serviceBus: {
        hosts: [ports.devices0, ports.devices1].map((port) => `localhost:${port}`),
        rule: { name: rootRule, key: secrets.rootKey },
      },
      dataDir,
      parts,
      restart: async (name) => {
        await parts[name].gone;
        Object.assign(parts, { [name]: await starts[name]() });
      },
      stop: async () => {
        await parts.host.stop();
        await Promise.all([parts.storage, parts.serviceBus, parts.cosmos].map((spawned) => spawned.stop()));
        await parts.identity.stop();
      },
    };
  } catch (error) {
    await Promise.all(started.map((spawned) => spawned.stop()));
    throw error;
  }
};

const appSettings = (
  ports: Ports,
  secrets: Secrets,
  seed: SeedFile,
  authority: string,
  clientId: string,
  dataDir: string,
  heartbeatSeconds: number,
): Record<string, string> => ({
  AZURE_CLIENT_ID: clientId,
  IDENTITY_ENDPOINT: `http://127.0.0.1:${ports.managedIdentity}/msi/token`,
  IDENTITY_HEADER: secrets.identityHeader,
  COSMOS__accountEndpoint: `https://localhost:${ports.cosmos}/`,
  COSMOS__clientId: clientId,
  COSMOS__credential: 'managedidentity',
  COSMOS_DATABASE: database,
  STORAGE__blobServiceUri: `https://localhost:${ports.storage}/${storageAccount}`,
  DEVICE_SHARDS: JSON.stringify({
    version: 1,
    shards: [
      { from: 0, to: 2047, connection: 'DEVICES_0' },
      { from: 2048, to: 4095, connection: 'DEVICES_1' },
    ],
  }),
  ...Object.fromEntries(
    [ports.devices0, ports.devices1].flatMap((port, index) => [
      [`DEVICES_${index}__fullyQualifiedNamespace`, `localhost:${port}`],
      [`DEVICES_${index}__clientId`, clientId],
      [`DEVICES_${index}__credential`, 'managedidentity'],
      [`DEVICES_${index}_LISTEN_RULE`, 'agents-listen'],
      [`DEVICES_${index}_LISTEN_KEY`, `${secrets.listenKey}${index}`],
      [`DEVICES_${index}_SEND_RULE`, 'agents-send'],
      [`DEVICES_${index}_SEND_KEY`, `${secrets.sendKey}${index}`],
    ]),
  ),
  ENTRA_AUTHORITY: authority,
  API_AUDIENCES: `${seed.api.identifierUri},${seed.api.clientId}`,
  ALLOWED_TENANTS: seed.tenants.map(({ id }) => id).join(','),
  COMMAND_KEY: pathToFileURL(join(dataDir, 'command-key.pem')).href,
  TASKHUB_NAME: 'liveresponse',
  DURABLE_TASK_SCHEDULER_CONNECTION_STRING: 'Endpoint=http://localhost;Authentication=None',
  HEARTBEAT_SECONDS: String(heartbeatSeconds),
  FEED_POLL_MS: '500',
});

const readSeed = async (): Promise<SeedFile> =>
  JSON.parse(await readFile(join(import.meta.dirname, 'identity', 'seed.json'), 'utf8')) as SeedFile;

const readSecrets = async (dataDir: string): Promise<Secrets> => {
  const file = join(dataDir, 'secrets.json');
  const kept = existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as Partial<Secrets>) : {};
  const secret = (): string => randomBytes(32).toString('base64');
  const secrets: Secrets = {
    identityHeader: randomBytes(16).toString('hex'),
    cosmosKey: randomBytes(64).toString('base64'),
    storageKey: randomBytes(64).toString('base64'),
    masterKey: randomBytes(24).toString('hex'),
    listenKey: secret(),
    sendKey: secret(),
    rootKey: secret(),
    // A folder of an earlier version lacks what came later.
    ...kept,
  };
  await writeFile(file, JSON.stringify(secrets, null, 2), { mode: 0o600 });
  return secrets;
};

/** What Key Vault keeps in the cloud lies in a file here. */
const commandKey = async (dataDir: string): Promise<void> => {
  const file = join(dataDir, 'command-key.pem');
  if (existsSync(file)) return;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
};

/** How many invocations each app process of a running cloud has answered. */
export const workByAppProcess = async ({
  url,
  masterKey,
}: Pick<Cloud, 'url' | 'masterKey'>): Promise<readonly number[]> => {
  const response = await fetch(`${url}/admin/host/status`, { headers: { 'x-functions-key': masterKey } });
  const status = (await response.json()) as { readonly invocationsByAppProcess: Record<string, number> };
  return Object.values(status.invocationsByAppProcess);
};
