/** What was written down about a process when it was started. */
export interface RecordedProcess {
  readonly pid: number;
  readonly startTime: string;
}

/** A living process. */
export interface SeenProcess {
  readonly pid: number;
  readonly parentPid: number;
  /** Null where the system has no process groups. */
  readonly groupId: number | null;
  readonly startTime: string;
  readonly hasMarker: boolean;
}

/** How a system tells which processes there are, as little as it takes to end a command with all it started. */
export interface ProcessTable {
  bootId(): string;
  isThisBoot(bootId: string): boolean;
  /** What tells this process from later ones with its id; undefined when it is gone. */
  startTimeOf(pid: number): string | undefined;
  /** Living processes; `marker` is an entry `NAME=value` of the environment to look for. */
  living(marker: string | null): readonly SeenProcess[];
  isSame(recorded: RecordedProcess, seen: SeenProcess): boolean;
  /** Whether a process names `recorded`, which has ended, as its parent: only where children keep a dead parent. */
  isOrphanOf(recorded: RecordedProcess, seen: SeenProcess): boolean;
  /** Whether a living process has children; undefined when there is no short way to know. */
  hasChildren(pid: number): boolean | undefined;
}
