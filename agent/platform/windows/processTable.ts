import { uptime } from 'node:os';
import * as z from 'zod';
import { isAlive } from '../isAlive.ts';
import type { ProcessTable, SeenProcess } from '../seenProcess.ts';
import { powershellRowsNow } from './powershell.ts';

const script = `
foreach ($p in Get-CimInstance -ClassName Win32_Process -Property ProcessId, ParentProcessId, CreationDate) {
  Row @{ pid = [int64]$p.ProcessId; parentPid = [int64]$p.ParentProcessId; startedAt = (Iso $p.CreationDate) }
}
`;

export const tableRow = z.strictObject({
  pid: z.int(),
  parentPid: z.int(),
  startedAt: z.iso.datetime({ precision: 7 }).nullable(),
});

/**
 * Without links to a parent that is not it: Windows never changes the parent of a process and uses ids again, so that a
 * process may name a younger one as its parent.
 */
export const seenProcesses = (rows: readonly z.infer<typeof tableRow>[]): readonly SeenProcess[] => {
  const startOf = new Map(rows.map(({ pid, startedAt }) => [pid, startedAt ?? '']));
  return rows.map(({ pid, parentPid, startedAt }) => {
    const parentStart = startOf.get(parentPid);
    const isOlderThanParent = parentStart !== undefined && (startedAt ?? '') < parentStart;
    return {
      pid,
      // A negative number is no process; it keeps the id of the one that is gone.
      parentPid: parentStart === undefined || isOlderThanParent ? -parentPid : parentPid,
      groupId: null,
      startTime: startedAt ?? '',
      hasMarker: false,
    };
  });
};

/** Clocks tick 64 times a second on an idle Windows. */
const toleranceMs = 50;
/** Between what two looks say about the time of the last start; a clock that was set meanwhile moves it. */
const bootToleranceMs = 60_000;

const bootTime = (): number => Date.now() - uptime() * 1000;

/** There are no process groups, and no process may see another one's environment: descent is all that is left. */
export const windowsProcessTable: ProcessTable = {
  bootId: () => new Date(bootTime()).toISOString(),
  isThisBoot: (id) => Math.abs(Date.parse(id) - bootTime()) < bootToleranceMs,
  // The time at which it was seen: whoever gets its id later starts later.
  startTimeOf: (pid) => (isAlive(pid) ? new Date().toISOString() : undefined),
  living: () => seenProcesses(powershellRowsNow(tableRow, script)),
  isSame: (recorded, seen) => Date.parse(seen.startTime) <= Date.parse(recorded.startTime) + toleranceMs,
  isOrphanOf: (recorded, seen) =>
    seen.parentPid === -recorded.pid &&
    Date.parse(seen.startTime) >= Date.parse(recorded.startTime) - toleranceMs,
  hasChildren: () => undefined,
};
