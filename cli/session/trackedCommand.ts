import type { OutputStream } from './sessionEvent.ts';

export interface CommandFile {
  readonly fileId: string;
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

export type CommandState = 'Issued' | 'Started' | 'Completed' | 'Failed' | 'Cancelled' | 'TimedOut' | 'Lost';

/** Told what happens to one command, in order; the next event waits until it has returned. */
export interface CommandListener {
  output(stream: OutputStream, bytes: Uint8Array): void;
  file(file: CommandFile): void;
  ended(): void;
  sentToBackground(): void;
  broughtToForeground(): void;
}

/** A command as the events have told it until now. */
export interface TrackedCommand {
  readonly commandId: string;
  name: string;
  line: string;
  flags: readonly string[];
  output: 'table' | 'json';
  background: boolean;
  state: CommandState;
  exitCode: number | null;
  duration: number | null;
  error: { readonly code: string; readonly message: string } | null;
  readonly files: CommandFile[];
  listener: CommandListener | undefined;
  /** Settles when the command has ended, or when the session's events stop before it has. */
  readonly ended: Promise<void>;
}

export const isEnded = ({ state }: TrackedCommand): boolean => state !== 'Issued' && state !== 'Started';
