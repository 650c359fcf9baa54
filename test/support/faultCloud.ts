import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import tls from 'node:tls';
import { userToken } from '../../local/accessTokens.ts';
import { type Cloud, type CloudOptions, startCloud } from '../../local/cloud.ts';
import { type LocalDevice, type LocalDeviceOptions, startDevice } from '../../local/device.ts';
import { LiveResponseClient, type SessionResource } from '../../sdk/index.ts';
import { eventually } from './responders.ts';

const testData = join(import.meta.dirname, '..', '..', '.local', 'tests');
const mebibyte = 1024 ** 2;

/** Patient and quick to come back: a client that keeps asking with its key until it has an answer. */
const persistent = { attempts: 1_000, firstDelayMs: 20, longestDelayMs: 500, budgetMs: 90_000 };
/** One try: what a client sees that does not come back. */
const once = { attempts: 1, firstDelayMs: 1, longestDelayMs: 1, budgetMs: 1 };

/** How a device differs from the usual one. */
export type DeviceChange = Partial<Omit<LocalDeviceOptions, 'enrolmentToken' | 'name'>>;

/** A cloud and a device that a test may break at will. */
export interface FaultCloud {
  readonly cloud: Cloud;
  readonly device: LocalDevice;
  /** What the agent is started with; a change takes effect at its next start. */
  readonly agentEnvironment: Record<string, string>;
  /** A folder name that every process of the agent carries in its environment, for finding them in `/proc`. */
  readonly mark: string;
  /** Repeats every request until it is answered. */
  readonly client: LiveResponseClient;
  /** Asks once and takes what comes. */
  readonly hastyClient: LiveResponseClient;
  readonly files: { readonly sparse: string; readonly small: string };
  /** Ids of the commands that ran, one per run, as the executors themselves wrote them down. */
  executions(): readonly string[];
  /** The next app process that passes this point dies there. */
  armApp(point: string): void;
  /** Whether no process has passed the point yet. */
  isAppArmed(): boolean;
  hostStatus(): Promise<HostStatus>;
  /** Has a timer function run now; resolves when it has. */
  fireTimer(name: string): Promise<void>;
  openSession(): Promise<SessionResource>;
  /** One more device, which the caller stops. */
  addDevice(name: string, options?: DeviceChange): Promise<LocalDevice>;
  stop(): Promise<void>;
}

export interface HostStatus {
  readonly appProcesses: readonly number[];
  readonly invocations: Readonly<Record<string, { readonly succeeded: number; readonly failed: number }>>;
}

export const makeFaultFolder = async (name: string): Promise<string> => {
  await mkdir(testData, { recursive: true });
  return mkdtemp(join(testData, `${name}-`));
};

/** Logs are what a failure is understood with: `FAULT_KEEP=1` leaves them. */
export const removeFaultFolder = async (dataDir: string): Promise<void> => {
  if (process.env['FAULT_KEEP'] === '1') return;
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
};

export const trustCloud = async (caFile: string): Promise<void> =>
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), await readFile(caFile, 'utf8')]);

export const persistentClient = (
  cloud: Parameters<typeof userToken>[0] & { readonly url: string },
  budgetMs = persistent.budgetMs,
) =>
  new LiveResponseClient({
    server: cloud.url,
    token: userToken(cloud, 'ana'),
    retry: { ...persistent, budgetMs },
  });

export const startFaultCloud = async (
  name: string,
  options: Pick<CloudOptions, 'appClockSkewSeconds'> = {},
): Promise<FaultCloud> => {
  const dataDir = await makeFaultFolder(name);
  const crashPointFile = join(dataDir, 'crash-point');
  const witness = join(dataDir, 'witness');
  const mark = join(dataDir, 'bin');
  const cloud = await startCloud({
    dataDir,
    // The death of a process is tested here, not a power cut: NORMAL must be enough for it.
    synchronous: 'NORMAL',
    heartbeatSeconds: 5,
    settings: { CRASH_POINT_FILE: crashPointFile },
    ...options,
  });
  const agentEnvironment = {
    PATH: `${mark}:${process.env['PATH'] ?? ''}`,
    LIVE_RESPONSE_WITNESS: witness,
    LIVE_RESPONSE_CRASH_POINT: '',
  };
  let device: LocalDevice | undefined;
  const stop = async (): Promise<void> => {
    await device?.stop();
    await cloud.stop();
    await removeFaultFolder(dataDir);
  };
  try {
    await trustCloud(cloud.caFile);
    const client = persistentClient(cloud);
    const hastyClient = new LiveResponseClient({
      server: cloud.url,
      token: userToken(cloud, 'ana'),
      retry: once,
    });
    device = await startDevice(cloud, {
      stateDir: join(dataDir, 'device'),
      enrolmentToken: async () => (await client.createEnrolmentToken({ uses: 1 })).token,
      environment: agentEnvironment,
    });
    const { deviceId } = device;
    const files = { sparse: join(dataDir, 'sparse.bin'), small: join(dataDir, 'small.bin') };
    await makeFile(files.sparse, 160 * mebibyte, 0);
    await makeFile(files.small, 3 * mebibyte, mebibyte);
    const hostStatus = () => readHostStatus(cloud);
    return {
      cloud,
      device,
      agentEnvironment,
      mark,
      client,
      hastyClient,
      files,
      executions: () =>
        existsSync(witness)
          ? readFileSync(witness, 'utf8')
              .split('\n')
              .filter(Boolean)
              .map((line) => line.split(' ')[0] ?? '')
          : [],
      armApp: (point) => writeFileSync(crashPointFile, point),
      isAppArmed: () => existsSync(crashPointFile),
      hostStatus,
      fireTimer: async (timer) => {
        const { invocations: before } = await hostStatus();
        await askHost(cloud, 'POST', `/admin/functions/${timer}`);
        await eventually(`${timer} has run`, async () => {
          const { invocations } = await hostStatus();
          return (invocations[timer]?.succeeded ?? 0) > (before[timer]?.succeeded ?? 0);
        });
      },
      openSession: () => openFaultSession(client, deviceId),
      addDevice: async (deviceName, { environment, ...change } = {}) =>
        startDevice(cloud, {
          stateDir: join(dataDir, deviceName),
          enrolmentToken: async () => (await client.createEnrolmentToken({ uses: 1 })).token,
          name: deviceName,
          environment: { ...agentEnvironment, ...environment },
          ...change,
        }),
      stop: async () => {
        rmSync(crashPointFile, { force: true });
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
};

/** Limits apply to sessions that are opened later. */
export const setLimits = async (cloud: Cloud, limits: Readonly<Record<string, number>>): Promise<void> => {
  const administrator = new LiveResponseClient({ server: cloud.url, token: userToken(cloud, 'cleo') });
  await administrator.changeSettings({ limits });
};

/** Opens a session on the device as soon as the one before has given its slot back. */
export const openFaultSession = async (
  client: LiveResponseClient,
  deviceId: string,
  withinMs = 60_000,
): Promise<SessionResource> => {
  const opened = await eventually(
    'the device is free for a new session',
    () =>
      client.openSession({ deviceId, reason: 'fault test' }).catch((error: unknown) => {
        if ((error as { readonly code?: unknown }).code === 'DEVICE_SESSION_LIMIT') return undefined;
        throw error;
      }),
    withinMs,
  );
  return whenConnected(client, opened.sessionId, withinMs);
};

export const whenConnected = (
  client: LiveResponseClient,
  sessionId: string,
  withinMs = 60_000,
): Promise<SessionResource> =>
  eventually(
    'the session is connected',
    async () => {
      const session = await client.session(sessionId);
      if (session.status === 'ended') throw new Error(`The session ended: ${session.end}`);
      return session.status === 'connected' ? session : undefined;
    },
    withinMs,
  );

/** A file of `size` bytes of which only the last `written` take room on the disk. */
const makeFile = async (path: string, size: number, written: number): Promise<void> => {
  const file = await open(path, 'w');
  await file.truncate(size);
  if (written > 0) await file.write(Buffer.alloc(written, 'x'), 0, written, size - written);
  await file.close();
};

const askHost = async (cloud: Cloud, method: 'GET' | 'POST', path: string): Promise<Response> => {
  const response = await fetch(`${cloud.url}${path}`, {
    method,
    headers: { 'x-functions-key': cloud.masterKey },
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response;
};

const readHostStatus = async (cloud: Cloud): Promise<HostStatus> =>
  (await (await askHost(cloud, 'GET', '/admin/host/status')).json()) as HostStatus;
