import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach } from 'vitest';
import type { HostConfig } from '../config.ts';
import type { FunctionsHost } from '../host.ts';
import { startFunctionsHost } from '../host.ts';
import { createLog } from '../log.ts';
import type { DurableCounters } from '../durable/engineContext.ts';
import type { InvocationCounters } from '../supervisor.ts';

export const keys = { masterKey: 'master', functionKey: 'function', systemKey: 'system' };

export interface StartedHost extends FunctionsHost {
  /** Everything the host and its app processes logged. */
  lines: string[];
  dataDir: string;
  /** Requests `path` at the host. */
  get(path: string, init?: RequestInit): Promise<Response>;
  status(): Promise<HostStatus>;
  /** Resolves when a line matching the pattern has been logged. */
  logged(pattern: RegExp): Promise<string>;
}

export interface HostStatus {
  state: string;
  functions: { name: string; trigger: string }[];
  appProcesses: number[];
  durable: DurableCounters;
  invocations: Record<string, InvocationCounters>;
}

type Cleanup = () => Promise<void> | void;
const afterTest: Cleanup[] = [];
const afterFile: Cleanup[] = [];
let cleanups = afterTest;
const runAll = async (list: Cleanup[]) => {
  for (const cleanup of list.splice(0).reverse()) await cleanup();
};
afterEach(() => runAll(afterTest));
afterAll(() => runAll(afterFile));

export const atEnd = (cleanup: Cleanup): void => void cleanups.push(cleanup);

/** What `start` makes lives until the tests of the file are over; for `beforeAll`. */
export async function untilFileEnds<T>(start: () => Promise<T>): Promise<T> {
  cleanups = afterFile;
  try {
    return await start();
  } finally {
    cleanups = afterTest;
  }
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'functions-host-'));
  atEnd(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

export const fixture = (name: string): string =>
  fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

/** Starts a host on a fixture (by name) or an app folder; it is closed after the test. */
export async function startHost(app: string, config: Partial<HostConfig> = {}): Promise<StartedHost> {
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  const log = createLog((line) => {
    lines.push(line);
    for (const watch of [...watchers]) watch();
  });
  const dataDir = config.dataDir ?? temporaryFolder();
  const host = await startFunctionsHost(
    {
      appRoot: path.isAbsolute(app) ? app : fixture(app),
      appProcesses: 1,
      http: { port: 0 },
      settings: {},
      ...keys,
      ...config,
      dataDir,
    },
    log,
  );
  atEnd(() => host.close());
  const get = (target: string, init?: RequestInit) => fetch(`${host.url}${target}`, init);
  return {
    functions: host.functions,
    url: host.url,
    get appProcesses() {
      return host.appProcesses;
    },
    close: () => host.close(),
    lines,
    dataDir,
    get,
    status: async () =>
      (await (
        await get('/admin/host/status', { headers: { 'x-functions-key': keys.masterKey } })
      ).json()) as HostStatus,
    logged: (pattern) =>
      new Promise((resolve) => {
        const watch = () => {
          const line = lines.find((text) => pattern.test(text));
          if (line === undefined) return;
          watchers.delete(watch);
          resolve(line);
        };
        watchers.add(watch);
        watch();
      }),
  };
}

/** Writes a small app that uses the real packages; `source` sees `app`, `output` and `df`. */
export function writeApp(source: string, hostJson: unknown = { version: '2.0' }): string {
  const folder = temporaryFolder();
  symlinkSync(
    fileURLToPath(new URL('../../../node_modules', import.meta.url)),
    path.join(folder, 'node_modules'),
  );
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'app', main: 'index.cjs' }));
  writeFileSync(
    path.join(folder, 'host.json'),
    typeof hostJson === 'string' ? hostJson : JSON.stringify(hostJson),
  );
  writeFileSync(
    path.join(folder, 'index.cjs'),
    `const { app, output } = require('@azure/functions');\nconst df = require('durable-functions');\n${source}`,
  );
  return folder;
}

/** A host.json with what every non-HTTP trigger needs. */
export const hostJsonWith = (extensions: Record<string, unknown> = {}): Record<string, unknown> => ({
  version: '2.0',
  extensionBundle: { id: 'Microsoft.Azure.Functions.ExtensionBundle', version: '[4.*, 5.0.0)' },
  extensions: {
    durableTask: {
      hubName: 'Tests',
      maxConcurrentActivityFunctions: 10,
      maxConcurrentOrchestratorFunctions: 10,
    },
    ...extensions,
  },
});

/** Repeats `read` until it yields something; for states that only polling can see. */
export async function eventually<T>(
  read: () => Promise<T | undefined> | T | undefined,
  withinMs = 10_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const value = await read();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`Nothing came of it within ${withinMs} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
