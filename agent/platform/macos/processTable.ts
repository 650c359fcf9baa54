import type { ProcessTable, SeenProcess } from '../seenProcess.ts';
import { type Tool, toolTextNow, unknownOutput } from '../tool.ts';

const ps = (...args: string[]): Tool => ({ file: '/bin/ps', args });

/** A line of `ps -o pid=,ppid=,pgid=,stat=,lstart=`. */
const line = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S.*\S)\s*$/;

/** Living processes, without zombies. */
export const parseProcessTable = (text: string, marked: ReadonlySet<number>): readonly SeenProcess[] => {
  const found: SeenProcess[] = [];
  for (const one of text.split('\n')) {
    if (one.trim() === '') continue;
    const [, pid, parentPid, groupId, state = '', startTime = ''] = line.exec(one) ?? [];
    if (pid === undefined) throw unknownOutput('/bin/ps', one);
    if (state.startsWith('Z')) continue;
    found.push({
      pid: Number(pid),
      parentPid: Number(parentPid),
      groupId: Number(groupId),
      startTime,
      hasMarker: marked.has(Number(pid)),
    });
  }
  return found;
};

/** Processes whose line of `ps -E -o pid=,command=`, which ends with the environment, holds the entry. */
export const parseMarked = (text: string, marker: string): ReadonlySet<number> => {
  const marked = new Set<number>();
  for (const one of text.split('\n')) {
    const pid = /^\s*(\d+) /.exec(one)?.[1];
    if (pid !== undefined && one.split(' ').includes(marker)) marked.add(Number(pid));
  }
  return marked;
};

let boot: string | undefined;
const bootId = (): string =>
  (boot ??= toolTextNow({ file: '/usr/sbin/sysctl', args: ['-n', 'kern.bootsessionuuid'] }).trim());

export const macosProcessTable: ProcessTable = {
  bootId,
  isThisBoot: (id) => id === bootId(),
  startTimeOf: (pid) => {
    // It says by its exit code that there is no such process.
    const text = toolTextNow({ ...ps('-o', 'lstart=', '-p', String(pid)), successCodes: [0, 1] }).trim();
    return text === '' ? undefined : text;
  },
  living: (marker) =>
    parseProcessTable(
      toolTextNow(ps('-axww', '-o', 'pid=,ppid=,pgid=,stat=,lstart=')),
      marker === null ? new Set() : parseMarked(toolTextNow(ps('-axEww', '-o', 'pid=,command=')), marker),
    ),
  isSame: (recorded, seen) => recorded.startTime === seen.startTime,
  isOrphanOf: () => false,
  hasChildren: () => undefined,
};
