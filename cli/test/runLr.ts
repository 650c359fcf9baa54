import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { vi } from 'vitest';
import { selectProfile } from '../config/selectedProfile.ts';
import { writeTokens } from '../config/tokenCache.ts';
import { runProgram } from '../program.ts';

/** A folder of its own with a configuration, in which `lr` is run. */
export interface Workplace {
  readonly folder: string;
  /** As a process: for signals, and for what is typed while it runs. */
  readonly start: (args: readonly string[], env?: NodeJS.ProcessEnv) => RunningLr;
  /** To its end, within this process, which saves the second that a process takes to start. Not twice at a time. */
  readonly run: (args: readonly string[], input?: string) => Promise<Finished>;
  readonly remove: () => Promise<void>;
}

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningLr {
  readonly child: ChildProcessWithoutNullStreams;
  readonly finished: Promise<Finished>;
  /** Settles when stdout and stderr together match; rejects when the process ends before. */
  saw(pattern: RegExp): Promise<RegExpExecArray>;
}

/** Halves the start of a process. */
export const compileCache = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'node');

export const lr = join(import.meta.dirname, '..', 'bin', 'lr.mjs');

/** Signed in to `server` unless it is undefined. */
export const aWorkplace = async (server?: string): Promise<Workplace> => {
  const folder = await mkdtemp(join(tmpdir(), 'lr-'));
  const path = join(folder, 'config.json');
  if (server !== undefined) {
    const profile = {
      server,
      authority: 'https://127.0.0.1:1',
      tenant: 'contoso',
      clientId: 'client-1',
      scope: 'api://live-response/.default',
      flow: 'device-code' as const,
    };
    const content = { current: 'test', profiles: { test: profile } };
    await writeFile(path, JSON.stringify(content));
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    await writeTokens(selectProfile({ path, content }), { accessToken: 'token-of-the-test', expiresAt });
  }
  const start = (args: readonly string[], env: NodeJS.ProcessEnv = {}): RunningLr =>
    watch(
      spawn(process.execPath, [lr, ...args], {
        cwd: folder,
        env: {
          ...process.env,
          LR_CONFIG: path,
          LR_CLIENT_SECRET: '',
          NODE_COMPILE_CACHE: compileCache,
          ...env,
        },
      }),
    );
  return {
    folder,
    start,
    run: (args, input = '') => runHere(args, input, folder, path),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
};

const runHere = async (
  args: readonly string[],
  input: string,
  folder: string,
  configuration: string,
): Promise<Finished> => {
  const written = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk, ...rest) => {
      written[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
      const done = rest.at(-1);
      if (typeof done === 'function') queueMicrotask(() => done());
      return true;
    }),
  );
  const stdin = vi
    .spyOn(process, 'stdin', 'get')
    .mockReturnValue(Readable.from([input]) as typeof process.stdin);
  const before = process.cwd();
  const { LR_CONFIG, LR_CLIENT_SECRET } = process.env;
  try {
    process.chdir(folder);
    Object.assign(process.env, { LR_CONFIG: configuration, LR_CLIENT_SECRET: '' });
    const exitCode = await runProgram(args);
    return { exitCode, ...written };
  } finally {
    process.chdir(before);
    restore('LR_CONFIG', LR_CONFIG);
    restore('LR_CLIENT_SECRET', LR_CLIENT_SECRET);
    stdin.mockRestore();
    for (const spy of spies) spy.mockRestore();
  }
};

const restore = (name: string, value: string | undefined): void => {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
};

export const watch = (child: ChildProcessWithoutNullStreams): RunningLr => {
  let stdout = '';
  let stderr = '';
  let both = '';
  const checks = new Set<() => void>();
  const take = (text: string) => {
    both += text;
    for (const check of checks) check();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    take(text);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    take(text);
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
  const saw = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const check = () => {
        const match = pattern.exec(both);
        if (match === null) return;
        checks.delete(check);
        resolve(match);
      };
      checks.add(check);
      check();
      void finished.then(() => reject(new Error(`lr ended before ${pattern} came:\n${both}`)));
    });
  return { child, finished, saw };
};
