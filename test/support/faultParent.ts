import { join } from 'node:path';
import { startCloud } from '../../local/cloud.ts';
import { startDevice } from '../../local/device.ts';
import { persistentClient, trustCloud } from './faultCloud.ts';

/**
 * A cloud with a device in a process of its own, like `npm start`, on the data folder that the first argument names. Prints one
 * JSON line ({@link StartedSystem}) and runs until it is killed or its stdin closes.
 */
export interface StartedSystem {
  readonly url: string;
  readonly caFile: string;
  readonly authority: string;
  readonly tenants: Awaited<ReturnType<typeof startCloud>>['tenants'];
  readonly apiScope: string;
  readonly publicClientId: string;
  readonly cosmos: { readonly endpoint: string; readonly masterKey: string };
  readonly deviceId: string;
  readonly stateDir: string;
  readonly agentPid: number;
}

const [dataDir] = process.argv.slice(2);
if (dataDir === undefined) throw new Error('Name the data folder: node faultParent.ts <folder>');

const cloud = await startCloud({ dataDir, synchronous: 'NORMAL', heartbeatSeconds: 5 });
await trustCloud(cloud.caFile);
const client = persistentClient(cloud);
const device = await startDevice(cloud, {
  stateDir: join(dataDir, 'device'),
  enrolmentToken: async () => (await client.createEnrolmentToken({ uses: 1 })).token,
  environment: { LIVE_RESPONSE_WITNESS: join(dataDir, 'witness') },
});
process.stdin.resume().once('end', async () => {
  await device.stop();
  await cloud.stop();
  process.exit(0);
});
const { url, caFile, authority, tenants, apiScope, publicClientId, cosmos } = cloud;
const started: StartedSystem = {
  url,
  caFile,
  authority,
  tenants,
  apiScope,
  publicClientId,
  cosmos,
  deviceId: device.deviceId,
  stateDir: device.stateDir,
  agentPid: device.pid(),
};
process.stdout.write(`${JSON.stringify(started)}\n`);
