import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import tls from 'node:tls';
import type { TestProject } from 'vitest/node';
import { userToken } from '../../local/accessTokens.ts';
import { type Cloud, startCloud } from '../../local/cloud.ts';
import { type LocalDevice, startDevice } from '../../local/device.ts';
import { LiveResponseClient } from '../../sdk/index.ts';

/** What an end-to-end test needs to reach the running cloud; it is started once for all of them. */
export interface RunningCloud extends Pick<
  Cloud,
  | 'url'
  | 'caFile'
  | 'authority'
  | 'tenants'
  | 'apiScope'
  | 'publicClientId'
  | 'masterKey'
  | 'cosmos'
  | 'dataDir'
> {
  readonly device: { readonly deviceId: string; readonly stateDir: string; readonly pid: number };
  readonly hostPid: number;
  readonly appProcesses: readonly number[];
}

declare module 'vitest' {
  export interface ProvidedContext {
    cloud: RunningCloud;
  }
}

const testData = join(import.meta.dirname, '..', '..', '.local', 'tests');

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await mkdir(testData, { recursive: true });
  const dataDir = await mkdtemp(join(testData, 'e2e-'));
  let device: LocalDevice | undefined;
  const cloud = await startCloud({ dataDir, synchronous: 'NORMAL', heartbeatSeconds: 5 });
  const stop = async (): Promise<void> => {
    await device?.stop();
    await cloud.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), await readFile(cloud.caFile, 'utf8')]);
    const administrator = new LiveResponseClient({ server: cloud.url, token: userToken(cloud, 'ana') });
    device = await startDevice(cloud, {
      stateDir: join(dataDir, 'device'),
      enrolmentToken: async () => (await administrator.createEnrolmentToken({ uses: 1 })).token,
      name: 'this-machine',
      // Whatever the machine is that runs the tests.
      kind: 'server',
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const { url, caFile, authority, tenants, apiScope, publicClientId, masterKey, cosmos, parts } = cloud;
  project.provide('cloud', {
    url,
    caFile,
    authority,
    tenants,
    apiScope,
    publicClientId,
    masterKey,
    cosmos,
    dataDir,
    device: { deviceId: device.deviceId, stateDir: device.stateDir, pid: device.pid() },
    hostPid: parts.host.pid,
    appProcesses: parts.host.endpoints.appProcesses,
  });
  return stop;
}
