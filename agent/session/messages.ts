import type { EndedBody, ExecuteBody, OutputPart, Tickets } from '../../contracts/device.ts';
import type { LogLine } from '../log.ts';
import type { ProcessIdentity } from './processTree.ts';

/** A line of the log with the process that wrote it. */
export type SourcedLine = LogLine & { readonly source: 'service' | 'worker' };

/** What every child process is told first. */
export interface ProcessSettings {
  /** PEM file of further authorities to trust. */
  readonly caFile: string | null;
  /** For tests: where executors note that they run. */
  readonly witness: string | null;
  /** Where library files go: the state directory. */
  readonly stateDirectory: string;
}

// ---- service → worker

export interface RunCommand {
  readonly type: 'run';
  readonly commandId: string;
  readonly marker: string;
  readonly sessionId: string;
  readonly directory: string;
  readonly body: ExecuteBody;
  readonly tickets: Tickets;
}

export type ToWorker =
  | ({ readonly type: 'settings' } & ProcessSettings)
  | RunCommand
  | { readonly type: 'cancel'; readonly commandId: string }
  /** A line of the service's log, while a command of the session follows it. */
  | { readonly type: 'trace-line'; readonly line: SourcedLine };

// ---- worker → service

/** How a command ended, without what only the service knows. */
export type WorkerEnd = Omit<EndedBody, 'started'> & {
  /** Device time of the start, UTC ISO 8601; null when `started` was sent before. */
  readonly startedAt: string | null;
};

export type FromWorker =
  /** An executor waits for a command. */
  | { readonly type: 'executor'; readonly executor: ProcessIdentity }
  /** An executor died before it was given a command. */
  | { readonly type: 'executor-gone'; readonly marker: string }
  | { readonly type: 'started'; readonly commandId: string; readonly startedAt: string }
  | { readonly type: 'output'; readonly commandId: string; readonly parts: readonly OutputPart[] }
  | { readonly type: 'ended'; readonly end: WorkerEnd };

// ---- worker → executor

export type ToExecutor = {
  readonly type: 'execute';
  /** FIFOs that a script writes to; null for a command that runs none. */
  readonly scriptStreams: { readonly stdout: string; readonly stderr: string } | null;
} & ProcessSettings &
  Omit<RunCommand, 'type' | 'marker'>;

/** What an executor that follows the log is told meanwhile. */
export type ToTrace =
  { readonly type: 'trace-line'; readonly line: SourcedLine } | { readonly type: 'trace-off' };

// ---- executor → worker

export type CollectedByExecutor = EndedBody['files'][number];
export type PlacedByExecutor = NonNullable<EndedBody['placed']>[number];

export type FromExecutor =
  | { readonly type: 'ready' }
  | {
      readonly type: 'finished';
      /** Whether the command may have started processes: then all of `/proc` is searched for them. */
      readonly startsProcesses: boolean;
      /** Bytes that it wrote for this command: the command has ended when the worker has them all. */
      readonly outputSize: number;
      /** It started nothing and waits for another command; otherwise it ends itself. */
      readonly canRunAnother: boolean;
      readonly error: { readonly code: string; readonly message: string } | null;
      readonly directory: string | null;
      readonly files: readonly CollectedByExecutor[];
      readonly placed: readonly PlacedByExecutor[];
      /** Of the program that it ran. */
      readonly exitCode: number | null;
    };
