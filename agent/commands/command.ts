import type { ExecuteBody, LibraryFile, Text } from '../../contracts/device.ts';
import type { CollectedByExecutor, PlacedByExecutor } from '../session/messages.ts';
import { CommandFailure } from './commandFailure.ts';

export { CommandFailure };

/** A value in a row. Text that is not valid UTF-8 is `{text, bytes}`. */
export type Value = string | number | boolean | null | Text | readonly (string | Text)[];
export type Row = Readonly<Record<string, Value>>;

export interface CommandContext {
  readonly commandId: string;
  readonly sessionId: string;
  /** Who gave the command; empty when that was not told. */
  readonly user: string;
  /** Working directory of the session, absolute. */
  readonly directory: string;
  readonly parameters: ExecuteBody['parameters'];
  /** Without leading dash. */
  readonly flags: ReadonlySet<string>;
  readonly limits: ExecuteBody['limits'];
  /** Where a collected file goes, with the ticket that opens it; null when this command has none. */
  readonly collected: { readonly url: string; readonly ticket: string } | null;
  /** What the command brings from the library, with the ticket that reads it. */
  readonly libraryFile: (LibraryFile & { readonly ticket: string }) | null;
  /** Where library files go. */
  readonly stateDirectory: string;
  /** FIFOs for the output of a script. */
  readonly scriptStreams: { readonly stdout: string; readonly stderr: string } | null;
}

/** What a command leaves behind beside its rows. */
export interface CommandOutcome {
  /** New working directory of the session. */
  readonly directory?: string;
  readonly files?: readonly CollectedByExecutor[];
  readonly placed?: readonly PlacedByExecutor[];
  /** Of the program that the command ran. */
  readonly exitCode?: number;
}

export interface DeviceCommand {
  readonly name: string;
  /** True when it runs other programs. */
  readonly startsProcesses?: boolean;
  /** The systems that it has code for, by their names in Node; all of them unless said otherwise. */
  readonly systems?: readonly NodeJS.Platform[];
  /** Throws a {@link CommandFailure} for what the responder can understand and change. */
  readonly run: (context: CommandContext) => AsyncGenerator<Row, CommandOutcome>;
}

const systemFailures: Readonly<Record<string, readonly [string, string]>> = {
  ENOENT: ['FILE_NOT_FOUND', 'does not exist'],
  EACCES: ['ACCESS_DENIED', 'may not be read by the agent'],
  EPERM: ['ACCESS_DENIED', 'may not be read by the agent'],
  ENOTDIR: ['NOT_A_DIRECTORY', 'lies below something that is not a directory'],
  EISDIR: ['NOT_A_FILE', 'is a directory'],
  ELOOP: ['LINK_LOOP', 'leads through too many symbolic links'],
  ENAMETOOLONG: ['NAME_TOO_LONG', 'has too long a name'],
  EIO: ['READ_ERROR', 'cannot be read: the disk reports an error'],
  ESTALE: ['READ_ERROR', 'cannot be read: its file system is gone'],
  ENXIO: ['NOT_A_FILE', 'is a device or socket without a reader'],
};

/** Turns a system error about `path` into a failure; anything else stays what it is. */
export const failureFor = (error: unknown, path: string): unknown => {
  const code = systemCodeOf(error);
  if (code === undefined) return error;
  const [failureCode, text] = systemFailures[code] ?? ['SYSTEM_ERROR', `cannot be used: ${code}`];
  return new CommandFailure(failureCode, `${path} ${text}.`);
};

export const systemCodeOf = (error: unknown): string | undefined =>
  error instanceof Error &&
  'code' in error &&
  typeof error.code === 'string' &&
  /^E[A-Z0-9]+$/.test(error.code)
    ? error.code
    : undefined;

export const requiredPath = ({ parameters }: CommandContext): string => {
  const path = parameters['path'];
  if (typeof path !== 'string' || path === '') {
    throw new CommandFailure('PARAMETER_MISSING', 'The parameter path is missing.');
  }
  if (path.includes('\0')) throw new CommandFailure('FILE_NOT_FOUND', 'A path cannot hold a NUL character.');
  return path;
};
