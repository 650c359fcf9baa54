import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A disk of its own that is full at will. */
export interface SmallDisk {
  readonly folder: string;
  fill(): void;
  makeRoom(): void;
  remove(): void;
}

/** A small file system in memory; undefined where this process may mount none. */
export const mountSmallDisk = (folder: string, mebibytes: number): SmallDisk | undefined => {
  mkdirSync(folder, { mode: 0o700 });
  try {
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0700`, 'small-disk', folder], {
      stdio: 'ignore',
    });
  } catch {
    return undefined;
  }
  const filler = join(folder, 'filler');
  return {
    folder,
    fill: () => {
      const file = openSync(filler, 'a');
      try {
        for (const size of [65_536, 4_096, 1]) {
          for (const block = Buffer.alloc(size, 'x'); isWritten(file, block););
        }
      } finally {
        closeSync(file);
      }
    },
    makeRoom: () => rmSync(filler, { force: true }),
    remove: () => void execFileSync('/bin/umount', ['--lazy', folder]),
  };
};

const isWritten = (file: number, block: Buffer): boolean => {
  try {
    return writeSync(file, block) > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
};

/**
 * From now on every write of the process to a file fails, or none does. It needs no rights and works in every container; the
 * system then says that a file is too large, where a full disk says that there is no space.
 */
export const limitWrites = (pid: number, limit: 'none' | 'everything'): void => {
  const size = limit === 'everything' ? 0 : 'unlimited';
  execFileSync('/usr/bin/prlimit', ['--pid', String(pid), `--fsize=${size}:unlimited`]);
};
