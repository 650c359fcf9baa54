import { readFileSync } from 'node:fs';
import type { ProcessTable, SeenProcess } from '../seenProcess.ts';
import { bootId, processIds, readStat, startTimeOf } from './procfs.ts';

const carriesMarker = (pid: number, wanted: Buffer): boolean => {
  try {
    // Read anew each time: a process shows its old environment until it has executed a new program.
    const environment = readFileSync(`/proc/${pid}/environ`);
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

export const linuxProcessTable: ProcessTable = {
  bootId,
  isThisBoot: (id) => id === bootId(),
  startTimeOf: (pid) => {
    const stat = readStat(pid);
    return stat === undefined ? undefined : startTimeOf(stat);
  },
  living: (marker) => {
    const wanted = marker === null ? undefined : Buffer.from(marker);
    const found: SeenProcess[] = [];
    for (const pid of processIds()) {
      const stat = readStat(pid);
      if (stat === undefined || stat.state === 'Z' || stat.state === 'X') continue;
      found.push({
        pid,
        parentPid: stat.parentPid,
        groupId: stat.groupId,
        startTime: startTimeOf(stat),
        hasMarker: wanted !== undefined && carriesMarker(pid, wanted),
      });
    }
    return found;
  },
  isSame: (recorded, seen) => recorded.startTime === seen.startTime,
  isOrphanOf: () => false,
  /** The kernel may not list children. */
  hasChildren: (pid) => {
    try {
      return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim() !== '';
    } catch {
      return undefined;
    }
  },
};
