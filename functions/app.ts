import { existsSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CosmosClient } from '@azure/cosmos';
import { app } from '@azure/functions';
import { DefaultAzureCredential, ManagedIdentityCredential } from '@azure/identity';
import { BlobServiceClient } from '@azure/storage-blob';
import * as df from 'durable-functions';
import { messagesQueue, presenceQueue } from '../contracts/device.ts';
import { checkLibraryUpload } from './activities/checkLibraryUpload.ts';
import { superviseSession } from './activities/superviseSession.ts';
import { Blobs } from './adapters/blobs.ts';
import { CosmosEventStore } from './adapters/cosmosEventStore.ts';
import { DeadLetters } from './adapters/deadLetters.ts';
import { DeviceChannel } from './adapters/deviceChannel.ts';
import { EntraTokens } from './adapters/entraTokens.ts';
import { LibraryBlobs } from './adapters/libraryBlobs.ts';
import { Presence } from './adapters/presence.ts';
import { openCommandKey } from './adapters/signingKeys.ts';
import { uploadCheckName } from './adapters/uploadChecks.ts';
import { supervisorInput, supervisorName } from './adapters/supervisors.ts';
import { ViewRows } from './adapters/viewRows.ts';
import { DeviceKeys } from './bus/deviceMessage.ts';
import { receivePresence } from './bus/receivePresence.ts';
import { receiveSessionMessage } from './bus/receiveSessionMessage.ts';
import { ensureSupervision } from './feed/ensureSupervision.ts';
import { projectViews } from './feed/projectViews.ts';
import { watchDisconnections } from './http/disconnection.ts';
import { routes } from './http/index.ts';
import type { Services } from './services.ts';
import { readSettings } from './settings.ts';
import type { Surroundings } from './streams/decideAndAppend.ts';
import { publishKeySets } from './streams/keySets.ts';
import { purge } from './timers/purge.ts';
import { reconcile } from './timers/reconcile.ts';
import { checkLibraryUpload_v1 } from './workflows/checkLibraryUpload.ts';
import { superviseSession_v1 } from './workflows/superviseSession.ts';

const settings = readSettings(process.env);

const credential =
  settings.AZURE_CLIENT_ID === undefined
    ? new DefaultAzureCredential()
    : new ManagedIdentityCredential({ clientId: settings.AZURE_CLIENT_ID });

/**
 * For fault tests only: the process ends itself at the point whose name the file holds, once. Without the setting, which no
 * deployment has, nothing looks at any file.
 */
const dieAt = (file: string) => (point: string) => {
  if (!existsSync(file) || readFileSync(file, 'utf8').trim() !== point) return;
  rmSync(file);
  process.kill(process.pid, 'SIGKILL');
};

const crashPointFile = process.env['CRASH_POINT_FILE'];
const surroundings: Surroundings = {
  now: () => new Date().toISOString(),
  elapsed: () => performance.now(),
  random: () => Math.random(),
  sleep: (milliseconds) => sleep(milliseconds),
  passes: crashPointFile === undefined ? () => undefined : dieAt(crashPointFile),
};

const cosmos = new CosmosClient({ endpoint: settings.COSMOS__accountEndpoint, aadCredentials: credential });
const database = cosmos.database(settings.COSMOS_DATABASE);
const store = new CosmosEventStore(database.container('events'));

const openKeys = async () => {
  const current = await openCommandKey(settings.COMMAND_KEY, credential);
  const previous =
    settings.COMMAND_KEY_PREVIOUS === undefined
      ? undefined
      : await openCommandKey(settings.COMMAND_KEY_PREVIOUS, credential);
  return { current, keySets: await publishKeySets({ store, surroundings }, current, previous) };
};
let keys: ReturnType<typeof openKeys> | undefined;

const blobService = new BlobServiceClient(settings.STORAGE__blobServiceUri, credential);
const blobs = new Blobs(blobService);

const services: Services = {
  store,
  surroundings,
  views: new ViewRows(database.container('views')),
  presence: new Presence(database.container('presence')),
  deadLetters: new DeadLetters(database.container('deadletters')),
  devices: new DeviceChannel(settings.DEVICE_SHARDS, settings.shards, credential),
  blobs,
  libraryBlobs: new LibraryBlobs(blobService, blobs),
  tokens: new EntraTokens(settings.ENTRA_AUTHORITY, settings.API_AUDIENCES, settings.ALLOWED_TENANTS),
  keys: () => {
    keys ??= openKeys().catch((error: unknown) => {
      keys = undefined;
      throw error;
    });
    return keys;
  },
  tenants: settings.ALLOWED_TENANTS,
  heartbeatEvery: settings.HEARTBEAT_SECONDS,
};

watchDisconnections();
app.setup({ enableHttpStream: true });

for (const { name, method, path, extraInputs, handle } of routes(services)) {
  app.http(name, {
    methods: [method],
    route: path,
    authLevel: 'anonymous',
    handler: handle,
    ...(extraInputs === undefined ? {} : { extraInputs }),
  });
}

df.app.orchestration(supervisorName, superviseSession_v1);
df.app.activity('superviseSession', { handler: superviseSession(services) });
df.app.orchestration(uploadCheckName, checkLibraryUpload_v1);
df.app.activity('checkLibraryUpload', { handler: checkLibraryUpload(services) });

const deviceKeys = new DeviceKeys(services);
for (const { connection } of settings.shards) {
  app.serviceBusQueue(`receiveSessionMessage_${connection}`, {
    connection,
    queueName: messagesQueue,
    isSessionsEnabled: true,
    handler: receiveSessionMessage(services, deviceKeys),
  });
  // What the store could not take in a hundred deliveries is applied when it can again.
  app.serviceBusQueue(`reapplySessionMessage_${connection}`, {
    connection,
    queueName: `${messagesQueue}/$DeadLetterQueue`,
    handler: receiveSessionMessage(services, deviceKeys),
  });
  app.serviceBusQueue(`receivePresence_${connection}`, {
    connection,
    queueName: presenceQueue,
    handler: receivePresence(services, deviceKeys),
  });
}

/** A batch of the feed is given again until it is handled: without a policy it would be lost. */
const untilHandled = {
  strategy: 'exponentialBackoff',
  maxRetryCount: -1,
  minimumInterval: { seconds: 1 },
  maximumInterval: { seconds: 60 },
} as const;

const feed = {
  connection: 'COSMOS',
  databaseName: '%COSMOS_DATABASE%',
  containerName: 'events',
  leaseContainerName: 'leases',
  startFromBeginning: true,
  feedPollDelay: settings.FEED_POLL_MS,
  retry: untilHandled,
} as const;

app.cosmosDB('projectViews', { ...feed, leaseContainerPrefix: 'views-v1', handler: projectViews(services) });
app.cosmosDB('ensureSupervision', {
  ...feed,
  leaseContainerPrefix: 'supervision-v1',
  extraInputs: [supervisorInput],
  handler: ensureSupervision(services),
});

app.timer('reconcile', {
  schedule: '30 * * * * *',
  extraInputs: [supervisorInput],
  handler: (_timer, context) => reconcile(services)(context),
});
app.timer('purge', {
  schedule: '0 17 3 * * *',
  extraInputs: [supervisorInput],
  handler: (_timer, context) => purge(services)(context),
});
