import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { log } from '../log.ts';

/** More than the journal grows by for all that one session can have open, and what SQLite writes beside it. */
const usualSize = 2 * 1024 * 1024;

/** SQLite's primary codes for "there is no room": a full disk, and a limit or quota that it reports as a failed write. */
const sqliteFull = 13;
const sqliteFailedWrite = 10;
const noRoomCodes: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** Whether a write failed because the disk takes no more; what was to be written may be tried again later. */
export const isOutOfRoom = (error: unknown): boolean => {
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown };
  if (typeof errcode !== 'number') return noRoomCodes.has(code);
  return [sqliteFull, sqliteFailedWrite].includes(errcode & 0xff);
};

/**
 * Room on the disk that is held back. When the disk is full it is given up, so that what was accepted can still be ended and
 * reported; whoever is without it must accept nothing new.
 */
export class DiskReserve {
  /** Where the room is needed. */
  readonly folder: string;
  readonly #path: string;
  readonly #size: number;
  #isHeld: boolean;

  constructor(stateDirectory: string, size = usualSize) {
    this.folder = stateDirectory;
    this.#path = join(stateDirectory, 'reserve');
    this.#size = size;
    this.#isHeld = statSync(this.#path, { throwIfNoEntry: false })?.size === size;
  }

  /** True when the room is held afterwards. */
  hold(): boolean {
    if (this.#isHeld) return true;
    try {
      const file = openSync(this.#path, 'w', 0o600);
      try {
        // Zeros would take no room on a disk that compresses.
        writeFileSync(file, randomBytes(this.#size));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      this.#isHeld = true;
    } catch (error) {
      rmSync(this.#path, { force: true });
      if (!isOutOfRoom(error)) throw error;
    }
    return this.#isHeld;
  }

  /** Writes something that must be written; with the reserve, when there is no other room. */
  spend<Result>(write: () => Result): Result {
    try {
      return write();
    } catch (error) {
      if (!isOutOfRoom(error) || !this.#isHeld) throw error;
      log('the disk is full: its reserve is used, and nothing new is accepted until there is room again');
      this.#isHeld = false;
      rmSync(this.#path, { force: true });
      return write();
    }
  }
}
