import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { applicationToken } from '../local/accessTokens.ts';
import { type Cloud, startCloud } from '../local/cloud.ts';
import { type LocalDevice, startDevice } from '../local/device.ts';
import { lockFolder } from '../local/lockFolder.ts';
import { LiveResponseClient } from '../sdk/index.ts';

/** Keeps the local cloud running with this machine as a device, until Ctrl+C. Data stays under `.local/`. */
const dataDir = join(import.meta.dirname, '..', '.local');
const started = performance.now();
const say = (text = ''): void => void process.stdout.write(`${text}\n`);

/** What `lr` needs to know; it finds the file from any folder below this checkout. */
const writeProfile = async (cloud: Cloud): Promise<void> => {
  const tenant = cloud.tenants[0];
  const application = tenant?.applications[0];
  if (tenant === undefined || application === undefined) throw new Error('The seed names no application.');
  await mkdir(join(dataDir, 'lr'), { recursive: true, mode: 0o700 });
  await writeFile(join(dataDir, 'lr', 'automation.secret'), application.secret, { mode: 0o600 });
  const profile = {
    server: cloud.url,
    authority: cloud.authority,
    tenant: tenant.id,
    scope: cloud.apiScope,
    caFile: cloud.caFile,
  };
  const configuration = {
    current: 'local',
    profiles: {
      local: {
        ...profile,
        clientId: application.clientId,
        flow: 'client-credentials',
        secretFile: 'automation.secret',
      },
      'local-user': { ...profile, clientId: cloud.publicClientId, flow: 'device-code' },
    },
  };
  await writeFile(join(dataDir, 'lr', 'config.json'), JSON.stringify(configuration, null, 2), {
    mode: 0o600,
  });
};

let cloud: Cloud | undefined;
let device: LocalDevice | undefined;
const stop = async (exitCode: number): Promise<void> => {
  await device?.stop();
  await cloud?.stop();
  process.exit(exitCode);
};

try {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  lockFolder(dataDir, `A local cloud runs on ${dataDir} already. End it with Ctrl+C in its terminal first.`);
  say('Starting the local cloud …');
  cloud = await startCloud({ dataDir });
  const { url, authority, parts } = cloud;
  process.once('SIGINT', () => void stop(0));
  process.once('SIGTERM', () => void stop(0));
  void parts.host.gone.then(() => stop(1));
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), await readFile(cloud.caFile, 'utf8')]);
  await writeProfile(cloud);
  const client = new LiveResponseClient({ server: url, token: applicationToken(cloud) });
  say('Enrolling this machine …');
  device = await startDevice(cloud, {
    stateDir: join(dataDir, 'device'),
    enrolmentToken: async () =>
      (await client.createEnrolmentToken({ uses: 1, description: 'npm start' })).token,
  });
  say(`
Ready in ${((performance.now() - started) / 1000).toFixed(1)} s.

  API        ${url}/api            (${url}/api/openapi.json)
  Sign-in    ${authority}   (users and apps: local/identity/seed.json)
  Device     ${device.deviceId}  ${hostname()}
  Data       ${dataDir}   (logs in run/)

In a second terminal:

  npx lr devices
  npx lr connect ${device.deviceId}
  npx lr run ${device.deviceId} "processes" "dir /etc"

Ctrl+C ends it; the data stays. To begin anew, delete ${dataDir}.`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  await stop(1);
}
