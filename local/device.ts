import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { DeviceKind } from '../domain/device/index.ts';
import type { Cloud } from './cloud.ts';

const agentBundle = join(import.meta.dirname, '..', 'dist', 'agent', 'main.mjs');
const leash = join(import.meta.dirname, 'leash.ts');
const readyWithinMs = 60_000;

/** A real agent that runs on this machine and is enrolled in a local cloud. */
export interface LocalDevice {
  readonly deviceId: string;
  readonly stateDir: string;
  /** Process id of the agent's service process. */
  pid(): number;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the agent is gone. */
  gone(): Promise<void>;
  /** Starts the agent again after it ended. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface LocalDeviceOptions {
  readonly stateDir: string;
  /** Makes an enrolment token; not asked for when this folder holds an enrolled device. */
  readonly enrolmentToken: () => Promise<string>;
  readonly name?: string;
  /** What the device says it is used as; it finds out unless given. */
  readonly kind?: DeviceKind;
  readonly environment?: Readonly<Record<string, string>>;
  /** Options of `node` for every process of the agent. */
  readonly nodeArguments?: readonly string[];
  /** In the state directory unless given. */
  readonly logFile?: string;
}

/** Enrols the device unless it is, and runs its agent until told to stop or until this process is gone. */
export const startDevice = async (
  cloud: Pick<Cloud, 'url' | 'caFile'>,
  options: LocalDeviceOptions,
): Promise<LocalDevice> => {
  const { stateDir } = options;
  const deviceId = (await enrolledAs(stateDir, cloud.url)) ?? (await enrol(cloud, options));
  let running = await run(options);
  return {
    deviceId,
    stateDir,
    pid: () => running.pid,
    kill: (signal) => void process.kill(running.pid, signal),
    gone: () => running.gone,
    restart: async () => {
      await running.gone;
      running = await run(options);
    },
    stop: async () => {
      running.leash.stdin?.end();
      await running.gone;
    },
  };
};

/** The device id of this folder, when it belongs to this cloud. */
const enrolledAs = async (stateDir: string, server: string): Promise<string | undefined> => {
  try {
    const settings = JSON.parse(await readFile(join(stateDir, 'agent.json'), 'utf8')) as {
      readonly server?: string;
      readonly deviceId?: string;
    };
    return settings.server === server ? settings.deviceId : undefined;
  } catch {
    return undefined;
  }
};

const enrol = async (
  cloud: Pick<Cloud, 'url' | 'caFile'>,
  { stateDir, enrolmentToken, name, kind, nodeArguments = [] }: LocalDeviceOptions,
): Promise<string> => {
  await promisify(execFile)(process.execPath, [
    ...nodeArguments,
    agentBundle,
    'enrol',
    '--server',
    cloud.url,
    '--token',
    await enrolmentToken(),
    '--state',
    stateDir,
    '--ca-file',
    cloud.caFile,
    ...(name === undefined ? [] : ['--name', name]),
    ...(kind === undefined ? [] : ['--kind', kind]),
  ]);
  const deviceId = await enrolledAs(stateDir, cloud.url);
  if (deviceId === undefined) throw new Error(`The agent enrolled but left no settings in ${stateDir}.`);
  return deviceId;
};

const run = async ({
  stateDir,
  environment,
  nodeArguments = [],
  logFile = join(stateDir, 'agent.log'),
}: LocalDeviceOptions) => {
  const child: ChildProcess = spawn(
    process.execPath,
    [leash, process.execPath, ...nodeArguments, agentBundle, 'run', '--state', stateDir],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    },
  );
  child.stderr?.pipe(createWriteStream(logFile, { flags: 'a', mode: 0o600 }));
  child.stdin?.on('error', () => undefined);
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const pid = await new Promise<number>((resolve, reject) => {
    const fail = (why: string): void =>
      reject(new Error(`The agent did not start: ${why}. Its log is ${logFile}.`));
    const timer = setTimeout(() => fail(`not ready within ${readyWithinMs / 1000} s`), readyWithinMs);
    child.once('exit', () => fail('it ended'));
    if (child.stdout === null) return fail('it has no output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('{')) return;
      const said = JSON.parse(line) as { readonly ready?: boolean; readonly pid?: number };
      if (said.ready !== true || said.pid === undefined) return;
      clearTimeout(timer);
      resolve(said.pid);
    });
  });
  return { leash: child, pid, gone };
};
