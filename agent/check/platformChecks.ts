import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { columnsOf } from '../../domain/catalogue/index.ts';
import { defaultLimits } from '../../domain/limits.ts';
import type { Row } from '../commands/command.ts';
import { capabilities, commandNamed } from '../commands/index.ts';
import { initialDirectory } from '../platform/initialDirectory.ts';
import { isAlive } from '../platform/isAlive.ts';
import { endProcesses, identify, markerVariable } from '../session/processTree.ts';

export interface PlatformCheck {
  /** A command, or what else of the agent was checked. */
  readonly name: string;
  readonly check: () => Promise<void>;
}

type Parameters = Readonly<Record<string, string | number>>;

/** What must hold on every system, of the commands that this agent has on this one. */
export const platformChecks = (): readonly PlatformCheck[] => [
  ...Object.entries(commandChecks)
    .filter(([name]) => capabilities.includes(name))
    .map(([name, check]) => ({ name, check })),
  { name: 'process tree', check: endsWhatACommandStarted },
];

const rowsOf = async (name: string, parameters: Parameters = {}): Promise<readonly Row[]> => {
  const command = commandNamed(name);
  if (command === undefined) throw new Error(`there is no command ${name}`);
  const rows: Row[] = [];
  const columns = columnsOf(name).map((column) => column.name);
  for await (const row of command.run({
    commandId: 'platform-check',
    sessionId: 'platform-check',
    user: '',
    directory: initialDirectory,
    parameters,
    flags: new Set(),
    limits: defaultLimits,
    collected: null,
    libraryFile: null,
    stateDirectory: initialDirectory,
    scriptStreams: null,
  })) {
    const members = Object.keys(row);
    insist(members.join() === columns.join(), `a row has ${members.join()}, the catalogue ${columns.join()}`);
    rows.push(row);
  }
  return rows;
};

const insist = (holds: boolean, otherwise: string): void => {
  if (!holds) throw new Error(otherwise);
};

const requireSome = (rows: readonly Row[]): void => insist(rows.length > 0, 'nothing was listed');

/** A folder with a file of known content whose name is not plain. */
const inPlantedFolder = async (
  use: (planted: { folder: string; name: string; path: string; content: string }) => Promise<void>,
): Promise<void> => {
  // The temporary folder of macOS lies behind a link.
  const base = await realpath(await mkdtemp(join(tmpdir(), 'platform-check-')));
  try {
    const folder = join(base, "süb folder's");
    const name = `planted ${randomBytes(4).toString('hex')} $HOME é.txt`;
    const path = join(folder, name);
    const content = randomBytes(5000).toString('base64');
    await mkdir(folder);
    await writeFile(path, content);
    await use({ folder, name, path, content });
  } finally {
    await rm(base, { recursive: true, force: true });
  }
};

const commandChecks: Readonly<Record<string, () => Promise<void>>> = {
  cd: () =>
    inPlantedFolder(async ({ folder }) => {
      const [row] = await rowsOf('cd', { path: folder });
      insist(row?.['directory'] === folder, `cd went to ${String(row?.['directory'])}`);
    }),
  connections: async () => {
    const server = createServer().listen(0, '::');
    await once(server, 'listening');
    try {
      const { port } = server.address() as { port: number };
      const own = (await rowsOf('connections')).find(
        (row) => row['localPort'] === port && row['state'] === 'listen',
      );
      insist(own !== undefined, 'the own listening socket is not listed');
      const pids = own?.['pids'];
      insist(Array.isArray(pids) && pids.includes(String(process.pid)), 'its process is not named');
    } finally {
      server.close();
    }
  },
  dir: () =>
    inPlantedFolder(async ({ folder, name, path, content }) => {
      const rows = await rowsOf('dir', { path: folder });
      const [row] = rows;
      insist(
        rows.length === 1 && row?.['name'] === name && row['path'] === path,
        'the planted file is not listed',
      );
      insist(row?.['kind'] === 'file' && row['size'] === content.length, 'its kind or size is wrong');
      const age = Date.now() - Date.parse(String(row?.['modifiedAt']));
      insist(age > -5_000 && age < 60_000, 'its time is wrong');
    }),
  drivers: async () => requireSome(await rowsOf('drivers')),
  fileinfo: () =>
    inPlantedFolder(async ({ path, content }) => {
      const [row] = await rowsOf('fileinfo', { path });
      for (const hash of ['md5', 'sha1', 'sha256']) {
        const wanted = createHash(hash).update(content).digest('hex');
        insist(row?.[hash] === wanted, `${hash} is wrong`);
      }
      insist(row?.['size'] === content.length && row['kind'] === 'file', 'its kind or size is wrong');
    }),
  findfile: () =>
    inPlantedFolder(async ({ folder, name, path }) => {
      const rows = await rowsOf('findfile', { name: `${name.slice(0, 12)}*`, path: join(folder, '..') });
      insist(rows.length === 1 && rows[0]?.['path'] === path, 'the planted file was not found');
    }),
  persistence: async () => requireSome(await rowsOf('persistence')),
  processes: async () => {
    const rows = await rowsOf('processes');
    const own = rows.find((row) => row['pid'] === process.pid);
    insist(own !== undefined, 'the own process is not listed');
    insist(own?.['parentPid'] === process.ppid, 'its parent is wrong');
    insist(JSON.stringify(own?.['commandLine']).includes('platformCheck'), 'its command line is wrong');
    const started = Date.parse(String(own?.['startedAt']));
    insist(Math.abs(started - performance.timeOrigin) < 5_000, 'its start is wrong');
  },
  registry: async () => {
    const key = 'HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion';
    const [row] = await rowsOf('registry', { path: `${key}\\\\CurrentBuildNumber` });
    insist(row?.['value'] === release().split('.')[2], 'the number of the build is wrong');
    requireSome(await rowsOf('registry', { path: key }));
  },
  scheduledtasks: async () => void (await rowsOf('scheduledtasks')),
  services: async () => requireSome(await rowsOf('services')),
  startupfolders: async () => void (await rowsOf('startupfolders')),
};

/** A child and a grandchild in the manner of a script that a responder runs. */
const endsWhatACommandStarted = async (): Promise<void> => {
  const marker = randomBytes(16).toString('hex');
  const wait = 'setInterval(() => undefined, 1000)';
  const script = `
    const { spawn } = require('node:child_process');
    const below = spawn(process.execPath, ['-e', ${JSON.stringify(wait)}], { stdio: 'ignore' });
    process.send(below.pid);
    ${wait}`;
  const child = spawn(process.execPath, ['-e', script], {
    detached: process.platform !== 'win32',
    windowsHide: true,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, [markerVariable]: marker },
  });
  const executor = identify(child.pid ?? 0, marker);
  if (executor === undefined) throw new Error('a process that was started is not seen');
  const [below] = (await once(child, 'message')) as [number];
  insist(await endProcesses(executor, 500), 'not all of it ended');
  for (const pid of [executor.pid, below]) {
    // An ended process stays visible until its parent has heard of it.
    const until = Date.now() + 10_000;
    while (isAlive(pid) && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
    insist(!isAlive(pid), 'a process outlived the proof that none was left');
  }
};
