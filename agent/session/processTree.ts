import { setTimeout as pause } from 'node:timers/promises';
import { processTable } from '../platform/processTable.ts';

/** Every process of a command inherits this variable; its value is random per executor. */
export const markerVariable = 'LIVE_RESPONSE_EXECUTOR';

/** Names one process for ever: ids are used again, and start times count from a boot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** As the system tells it: on Linux clock ticks after boot, field 22 of `/proc/{pid}/stat`. */
  readonly startTime: string;
  readonly bootId: string;
  /** Null for a process whose children carry no marker. */
  readonly marker: string | null;
}

/** Undefined when the process is gone already. */
export const identify = (pid: number, marker: string | null): ProcessIdentity | undefined => {
  const startTime = processTable.startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime, bootId: processTable.bootId(), marker };
};

/**
 * All living processes of a command: the executor, its process group, whoever carries its marker (which a daemon that left the
 * group still does), and the descendants of all these.
 */
export const processesOf = (executor: ProcessIdentity): readonly number[] => {
  // Group 0 is the kernel's and process 1 is everybody's ancestor: a damaged record must never lead there.
  if (!processTable.isThisBoot(executor.bootId) || !(executor.pid > 1) || executor.marker === '') return [];
  const { marker } = executor;
  const living = processTable.living(marker === null ? null : `${markerVariable}=${marker}`);
  const leader = living.find(({ pid }) => pid === executor.pid);
  const isReused = leader !== undefined && !processTable.isSame(executor, leader);
  const others = living.filter(({ pid }) => pid !== process.pid);
  const found = new Set<number>();
  for (const seen of others) {
    const inGroup = marker !== null && !isReused && seen.groupId === executor.pid;
    const isLeader = !isReused && seen.pid === executor.pid;
    const isOrphan = marker !== null && processTable.isOrphanOf(executor, seen);
    if (inGroup || isLeader || isOrphan || seen.hasMarker) found.add(seen.pid);
  }
  for (let grown = marker !== null; grown;) {
    grown = false;
    for (const { pid, parentPid } of others) {
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

/** Whether a living executor has processes below it. Where there is no short way to know, all processes are looked at. */
export const hasChildren = (executor: ProcessIdentity): boolean =>
  processTable.hasChildren(executor.pid) ?? processesOf(executor).length > 1;

const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name);
  } catch {
    // Gone in the meantime.
  }
};

const giveUpAfterMs = 5_000;

/**
 * Ends everything that belongs to an executor: SIGTERM, `graceMs` later SIGKILL, again and again until the system shows none.
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
