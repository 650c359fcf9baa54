import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A stand-in that runs as a process of its own. */
export interface SpawnedPart<Endpoints> {
  readonly name: string;
  readonly pid: number;
  /** What it said when it was ready. */
  readonly endpoints: Endpoints;
  /** Resolves when the process is gone, however it went. */
  readonly gone: Promise<void>;
  /** Ends it in order; resolves when it is gone. */
  stop(): Promise<void>;
  /** Sends a signal, for tests that let it die. */
  kill(signal: NodeJS.Signals): void;
}

const readyWithinMs = 60_000;
const stopWithinMs = 10_000;

/**
 * Starts `local/<part>/main.ts` with a configuration written to `dir`, and waits for its ready line. Its log goes to
 * `dir/<name>.log`. It ends when this process does: its stdin is a pipe that closes with us.
 */
export const spawnPart = async <Endpoints>(
  name: string,
  entry: string,
  config: object,
  {
    dir,
    environment = {},
  }: { readonly dir: string; readonly environment?: Readonly<Record<string, string>> },
): Promise<SpawnedPart<Endpoints>> => {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const configFile = join(dir, `${name}.json`);
  await writeFile(configFile, JSON.stringify(config, null, 2), { mode: 0o600 });
  const logFile = join(dir, `${name}.log`);
  const child = spawn(process.execPath, [entry, configFile], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  child.stderr?.pipe(createWriteStream(logFile, { flags: 'a' }));
  // A part that dies closes its pipe; that is no error of ours.
  child.stdin?.on('error', () => undefined);
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const endpoints = await readyLine<Endpoints>(name, child, logFile);
  return {
    name,
    pid: child.pid ?? 0,
    endpoints,
    gone,
    kill: (signal) => void child.kill(signal),
    stop: async () => {
      child.stdin?.end();
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), stopWithinMs);
      await gone;
      clearTimeout(timer);
    },
  };
};

const readyLine = <Endpoints>(name: string, child: ChildProcess, logFile: string): Promise<Endpoints> =>
  new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      child.kill('SIGKILL');
      reject(new Error(`${name} did not start: ${why}. Its log is ${logFile}.`));
    };
    const timer = setTimeout(() => fail(`not ready within ${readyWithinMs / 1000} s`), readyWithinMs);
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      fail(`it ended with ${signal ?? `code ${code}`}`);
    });
    if (child.stdout === null) return fail('it has no output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      let said: { readonly ready?: unknown };
      try {
        said = JSON.parse(line) as { readonly ready?: unknown };
      } catch {
        return;
      }
      if (said.ready !== true) return;
      clearTimeout(timer);
      resolve(said as Endpoints);
    });
  });
