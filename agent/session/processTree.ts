import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** Every process of a command inherits this variable; its value is random per executor. */
export const markerVariable = 'LIVE_RESPONSE_EXECUTOR';

/** Names one process for ever: ids are used again, and start times count from a boot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot, field 22 of `/proc/{pid}/stat`. */
  readonly startTime: string;
  readonly bootId: string;
  /** Null for a process whose children carry no marker. */
  readonly marker: string | null;
}

export interface ProcessStat {
  readonly pid: number;
  readonly name: Buffer;
  /** One letter, as `ps` shows it. */
  readonly state: string;
  readonly parentPid: number;
  readonly groupId: number;
  /** Fields from number 3 (state) on. */
  readonly fields: readonly string[];
}

/** Undefined when there is no such process (any more). */
export const readStat = (pid: number): ProcessStat | undefined => {
  let content: Buffer;
  try {
    content = readFileSync(`/proc/${pid}/stat`);
  } catch {
    return undefined;
  }
  // The name stands in brackets and may itself hold brackets and blanks: only the last `)` ends it.
  const end = content.lastIndexOf(')');
  const fields = content
    .subarray(end + 2)
    .toString('latin1')
    .trimEnd()
    .split(' ');
  return {
    pid,
    name: content.subarray(content.indexOf('(') + 1, end),
    state: fields[0] ?? '?',
    parentPid: Number(fields[1]),
    groupId: Number(fields[2]),
    fields,
  };
};

export const startTimeOf = (stat: ProcessStat): string => stat.fields[19] ?? '';

export const processIds = (): readonly number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

export const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();

/** Undefined when the process is gone already. */
export const identify = (pid: number, marker: string | null): ProcessIdentity | undefined => {
  const stat = readStat(pid);
  return stat === undefined ? undefined : { pid, startTime: startTimeOf(stat), bootId: bootId(), marker };
};

const isOver = (stat: ProcessStat): boolean => stat.state === 'Z' || stat.state === 'X';

const carriesMarker = (pid: number, marker: string): boolean => {
  try {
    // Read anew each time: a process shows its old environment until it has executed a new program.
    const environment = readFileSync(`/proc/${pid}/environ`);
    const wanted = Buffer.from(`${markerVariable}=${marker}`);
    for (let at = environment.indexOf(wanted); at !== -1; at = environment.indexOf(wanted, at + 1)) {
      const startsHere = at === 0 || environment[at - 1] === 0;
      const end = at + wanted.length;
      if (startsHere && (end === environment.length || environment[end] === 0)) return true;
    }
    return false;
  } catch {
    return false;
  }
};

/**
 * All living processes of a command: the executor, its process group, whoever carries its marker (which a daemon that left the
 * group still does), and the descendants of all these.
 */
export const processesOf = (executor: ProcessIdentity): readonly number[] => {
  // Group 0 is the kernel's and process 1 is everybody's ancestor: a damaged record must never lead there.
  if (executor.bootId !== bootId() || !(executor.pid > 1) || executor.marker === '') return [];
  const leader = readStat(executor.pid);
  const isReused = leader !== undefined && startTimeOf(leader) !== executor.startTime;
  const found = new Set<number>();
  const stats: ProcessStat[] = [];
  for (const pid of processIds()) {
    const stat = readStat(pid);
    if (stat === undefined || isOver(stat) || pid === process.pid) continue;
    stats.push(stat);
    const inGroup = executor.marker !== null && !isReused && stat.groupId === executor.pid;
    const isLeader = !isReused && pid === executor.pid;
    if (inGroup || isLeader || (executor.marker !== null && carriesMarker(pid, executor.marker)))
      found.add(pid);
  }
  for (let grown = executor.marker !== null; grown;) {
    grown = false;
    for (const { pid, parentPid } of stats) {
      if (found.has(parentPid) && !found.has(pid)) {
        found.add(pid);
        grown = true;
      }
    }
  }
  return [...found];
};

/** Whether the process group of an executor that has ended still has members. Far cheaper than {@link processesOf}. */
export const isGroupLeft = (executor: ProcessIdentity): boolean => {
  try {
    process.kill(-executor.pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Whether a living executor has processes below it. The kernel may not list children; then all of `/proc` is searched. */
export const hasChildren = (executor: ProcessIdentity): boolean => {
  const { pid } = executor;
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim() !== '';
  } catch {
    return processesOf(executor).length > 1;
  }
};

const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name);
  } catch {
    // Gone in the meantime.
  }
};

const giveUpAfterMs = 5_000;

/**
 * Ends everything that belongs to an executor: SIGTERM, `graceMs` later SIGKILL, again and again until `/proc` shows none.
 * Resolves to true as proof that none is left, and to false when something outlived it (a process stuck in the kernel).
 */
export const endProcesses = async (executor: ProcessIdentity, graceMs: number): Promise<boolean> => {
  const started = performance.now();
  if (graceMs > 0) {
    for (const pid of processesOf(executor)) signal(pid, 'SIGTERM');
    while (performance.now() - started < graceMs) {
      if (processesOf(executor).length === 0) return true;
      await pause(20);
    }
  }
  const killing = performance.now();
  for (;;) {
    const left = processesOf(executor);
    if (left.length === 0) return true;
    if (performance.now() - killing > giveUpAfterMs) return false;
    for (const pid of left) signal(pid, 'SIGKILL');
    await pause(5);
  }
};
