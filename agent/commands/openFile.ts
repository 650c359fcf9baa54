import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  statSync,
} from 'node:fs';
import { CommandFailure, failureFor } from './command.ts';
import { kindOf } from './fileFacts.ts';

export interface OpenFile {
  readonly descriptor: number;
  readonly stat: BigIntStats;
  close(): void;
}

/** A link is not what it leads to: collecting it would store another file under its name. */
export const refuseLink = (path: string): void => {
  let target: string;
  try {
    if (!lstatSync(path).isSymbolicLink()) return;
    target = readlinkSync(path);
  } catch (error) {
    throw failureFor(error, path);
  }
  throw new CommandFailure('NOT_A_FILE', `${path} is a symbolic link to ${target}. Name the file itself.`);
};

/**
 * Opens a regular file for reading, through symbolic links. Looks first, because opening a device or a FIFO can have effects or
 * wait for ever, and looks again at what was opened, because it may be another file by then.
 */
export const openRegularFile = (path: string): OpenFile => {
  let descriptor: number;
  try {
    requireFile(statSync(path, { bigint: true }), path);
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    throw failureFor(error, path);
  }
  try {
    const stat = fstatSync(descriptor, { bigint: true });
    requireFile(stat, path);
    return { descriptor, stat, close: () => closeSync(descriptor) };
  } catch (error) {
    closeSync(descriptor);
    throw failureFor(error, path);
  }
};

const requireFile = (stat: BigIntStats, path: string): void => {
  const kind = kindOf(stat);
  if (kind !== 'file') {
    throw new CommandFailure('NOT_A_FILE', `${path} is not a regular file but a ${kind}.`);
  }
};

export const requireSize = (stat: BigIntStats, limit: number, path: string): void => {
  if (stat.size > BigInt(limit)) {
    throw new CommandFailure(
      'FILE_TOO_LARGE',
      `${path} has ${stat.size} bytes; this command takes at most ${limit}.`,
    );
  }
};

/** Throws FILE_CHANGED when the open file is not as it was. */
export const requireUnchanged = (file: OpenFile, read: bigint, path: string): void => {
  const now = fstatSync(file.descriptor, { bigint: true });
  if (read !== file.stat.size || now.size !== file.stat.size || now.mtimeNs !== file.stat.mtimeNs) {
    throw new CommandFailure('FILE_CHANGED', `${path} changed while it was read. Try again.`);
  }
};
