import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { lockFolder } from '../../lockFolder.ts';
import type { HostConfig } from '../config.ts';
import type { Cors } from '../cors.ts';
import type { FunctionsHost } from '../host.ts';
import { startFunctionsHost } from '../host.ts';
import { createLog } from '../log.ts';
import { readLocalSettings } from './localSettings.ts';
import type { StartOptions } from './options.ts';
import { UsageError, wholeNumber } from './options.ts';
import type { StoredKeys } from './storedKeys.ts';
import { storedKeys } from './storedKeys.ts';

const DEFAULT_PORT = 7071;

/**
 * Starts the app of a folder as its settings say, and tells what runs where.
 * @throws with what to do when the folder holds no app, the settings cannot be used, or the host does not start.
 */
export async function startApp(options: StartOptions): Promise<{ host: FunctionsHost; report: string }> {
  const appRoot = path.resolve(options.app);
  checkApp(appRoot);
  const local = readLocalSettings(appRoot);
  const settings = settingsOf(local.values);
  const appProcesses = options.appProcesses ?? processCount(settings);
  const cors = corsOf(options.cors ?? local.cors, local.corsCredentials);
  const dataDir =
    options.dataDir === undefined ? path.join(appRoot, '.local-functions') : path.resolve(options.dataDir);
  const keys = openDataDir(dataDir);
  const port = options.port ?? local.port ?? DEFAULT_PORT;
  const log = createLog((line) => process.stderr.write(`${new Date().toISOString()} ${line}`));
  for (const warning of local.warnings) log.warn('host', warning);
  const host = await start(
    {
      appRoot,
      dataDir,
      appProcesses,
      http: { port },
      settings,
      ...keys,
      ...(cors !== undefined && { cors }),
      ...(options.verbose && { minimumLogLevel: 'Debug', logInvocations: true }),
    },
    log,
  );
  return { host, report: report(host, appRoot, dataDir, keys) };
}

function checkApp(appRoot: string): void {
  for (const file of ['host.json', 'package.json']) {
    if (existsSync(path.join(appRoot, file))) continue;
    throw new Error(
      `There is no ${file} in ${appRoot}. Start local-functions in the folder of an Azure Functions app for Node, or name the folder with --app.`,
    );
  }
}

/** The environment wins over the file, so that one start can differ. */
function settingsOf(values: Record<string, string>): Record<string, string> {
  const settings: Record<string, string> = { ...values };
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) settings[name] = value;
  const runtime = settings.FUNCTIONS_WORKER_RUNTIME;
  if (runtime !== undefined && runtime.toLowerCase() !== 'node') {
    throw new Error(`FUNCTIONS_WORKER_RUNTIME is "${runtime}"; local-functions runs apps for "node" only.`);
  }
  return settings;
}

function processCount({ FUNCTIONS_WORKER_PROCESS_COUNT: count }: Record<string, string>): number {
  return count === undefined || count === ''
    ? 1
    : wholeNumber(count, 'FUNCTIONS_WORKER_PROCESS_COUNT', 1, 64);
}

function corsOf(text: string | undefined, credentials: boolean): Cors | undefined {
  const origins = (text ?? '')
    .split(',')
    .map((origin) => origin.trim().replace(/\/$/, ''))
    .filter((origin) => origin !== '');
  if (origins.length === 0) return undefined;
  if (credentials && origins.includes('*')) {
    throw new UsageError('CORS with credentials needs the origins by name; browsers refuse "*" then.');
  }
  return { origins, credentials };
}

function openDataDir(dataDir: string): StoredKeys {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  lockFolder(
    dataDir,
    `An app runs on ${dataDir} already. End it first, or give this one another --data-dir.`,
  );
  const ignore = path.join(dataDir, '.gitignore');
  if (!existsSync(ignore)) writeFileSync(ignore, '*\n'); // state and keys do not belong into the app's history
  return storedKeys(dataDir);
}

async function start(config: HostConfig, log: ReturnType<typeof createLog>): Promise<FunctionsHost> {
  try {
    return await startFunctionsHost(config, log);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new Error(`Port ${config.http.port} is in use. Choose another with --port; 0 takes any free one.`);
  }
}

function report(host: FunctionsHost, appRoot: string, dataDir: string, keys: StoredKeys): string {
  const rows = host.functions.map(({ name, trigger, firedBy }) => [name, trigger, firedBy]);
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const table = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(width(column)))
      .join('  ')
      .trimEnd(),
  );
  const { length } = host.appProcesses;
  return [
    '',
    ...table.map((line) => `  ${line}`),
    '',
    `  App         ${appRoot} (${length} ${length === 1 ? 'process' : 'processes'})`,
    `  State       ${dataDir}`,
    `  Host key    ${keys.functionKey}   (header x-functions-key, or ?code=)`,
    `  Master key  ${keys.masterKey}`,
    '',
    `Ready at ${host.url}. Ctrl+C ends it.`,
  ].join('\n');
}
