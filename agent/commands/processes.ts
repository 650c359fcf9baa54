import { readFileSync, readlinkSync } from 'node:fs';
import { userName } from '../platform/linux/accounts.ts';
import { processIds, readStat } from '../platform/linux/procfs.ts';
import { CommandFailure, type DeviceCommand, type Row } from './command.ts';
import { textOf } from './text.ts';

/** The kernel shows times in hundredths of a second to every program, whatever its own clock does. */
const ticksPerSecond = 100;

const states: Readonly<Record<string, string>> = {
  R: 'running',
  S: 'sleeping',
  D: 'waiting',
  Z: 'zombie',
  T: 'stopped',
  t: 'traced',
  I: 'idle',
  X: 'dead',
};

/** Lists processes, all or by id or name. A process that ends meanwhile is left out. */
export const processes: DeviceCommand = {
  name: 'processes',
  systems: ['linux'],
  async *run({ parameters }) {
    const { pid, name } = { pid: parameters['pid'], name: parameters['name'] };
    const wanted = pid === undefined ? undefined : Number(pid);
    const bootedAt = bootTime();
    let found = 0;
    for (const id of processIds()) {
      if (wanted !== undefined && id !== wanted) continue;
      const row = rowOf(id, bootedAt);
      if (row === undefined || (name !== undefined && !isCalled(row, String(name)))) continue;
      found += 1;
      yield row;
    }
    if (found === 0 && wanted !== undefined) {
      throw new CommandFailure('PROCESS_NOT_FOUND', `There is no process ${wanted}.`);
    }
    return {};
  },
};

/** Seconds since 1970. */
const bootTime = (): number => Number(/^btime (\d+)/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1]);

const rowOf = (pid: number, bootedAt: number): Row | undefined => {
  const stat = readStat(pid);
  const status = read(`/proc/${pid}/status`)?.toString('latin1');
  if (stat === undefined || status === undefined) return undefined;
  const executable = executableOf(pid);
  const field = (number: number): number => Number(stat.fields[number - 3]);
  const uid = Number(/^Uid:\t(\d+)/m.exec(status)?.[1]);
  const resident = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
  return {
    pid,
    parentPid: stat.parentPid,
    name: textOf(stat.name),
    path: executable === null ? null : textOf(executable.path),
    pathDeleted: executable?.deleted ?? false,
    commandLine: commandLineOf(pid),
    user: userName(uid),
    startedAt: new Date((bootedAt + field(22) / ticksPerSecond) * 1000).toISOString(),
    cpuSeconds: (field(14) + field(15)) / ticksPerSecond,
    memoryBytes: resident === undefined ? 0 : Number(resident) * 1024,
    threads: field(20),
    state: states[stat.state] ?? stat.state,
  };
};

const read = (path: string): Buffer | undefined => {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
};

const deletedSuffix = Buffer.from(' (deleted)');

/** Null for kernel threads and for processes that may not be looked into. */
const executableOf = (pid: number): { readonly path: Buffer; readonly deleted: boolean } | null => {
  try {
    const path = readlinkSync(`/proc/${pid}/exe`, { encoding: 'buffer' });
    const deleted = path.subarray(-deletedSuffix.length).equals(deletedSuffix);
    return deleted ? { path: path.subarray(0, -deletedSuffix.length), deleted } : { path, deleted };
  } catch {
    return null;
  }
};

/** The arguments as they are, one by one; empty for kernel threads. A program may have overwritten them. */
const commandLineOf = (pid: number): readonly (string | { text: string; bytes?: string })[] => {
  const content = read(`/proc/${pid}/cmdline`);
  if (content === undefined || content.length === 0) return [];
  const ended = content.at(-1) === 0 ? content.subarray(0, -1) : content;
  const list: (string | { text: string; bytes?: string })[] = [];
  let start = 0;
  for (let end = ended.indexOf(0); ; end = ended.indexOf(0, start)) {
    list.push(textOf(ended.subarray(start, end === -1 ? ended.length : end)));
    if (end === -1) return list;
    start = end + 1;
  }
};

/** By the short name of the kernel (15 bytes) or the file name of the executable. */
const isCalled = (row: Row, wanted: string): boolean => {
  const path = row['path'];
  return (
    row['name'] === wanted || (typeof path === 'string' && path.slice(path.lastIndexOf('/') + 1) === wanted)
  );
};
