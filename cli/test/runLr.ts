import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selectProfile } from '../config/selectedProfile.ts';
import { writeTokens } from '../config/tokenCache.ts';

/** A folder of its own with a configuration, in which `lr` is run as a process. */
export interface Workplace {
  readonly folder: string;
  readonly start: (args: readonly string[], env?: NodeJS.ProcessEnv) => RunningLr;
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
        env: { ...process.env, LR_CONFIG: path, LR_CLIENT_SECRET: '', ...env },
      }),
    );
  return {
    folder,
    start,
    run: (args, input = '') => {
      const { child, finished } = start(args);
      child.stdin.end(input);
      return finished;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
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
