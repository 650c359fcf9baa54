import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
} from 'node:fs';
import { posix } from 'node:path';
import { systemCodeOf } from '../../commands/command.ts';

/** No settings file of a sound system is longer. */
const longestText = 4 * 1024 * 1024;

const isAbsence = (code: string): boolean => code === 'ENOENT' || code === 'ENOTDIR';

/**
 * The files of a system below a folder that stands for its root. Paths and texts are bytes as latin1 text. What is not there is
 * no matter; what is there and cannot be read becomes a note.
 */
export class SystemTree {
  readonly #root: string;
  #notes: string[] = [];

  constructor(root = '/') {
    this.#root = root === '/' ? '' : root;
  }

  /** What could not be read since the last call. */
  takeNotes(): readonly { readonly note: string }[] {
    const notes = this.#notes;
    this.#notes = [];
    return notes.map((note) => ({ note }));
  }

  /** Bytes, because the name may not be UTF-8. */
  bytesOf(path: string): Buffer {
    return Buffer.from(this.#root + path, 'latin1');
  }

  /** Names in a folder, sorted. */
  names(folder: string): readonly string[] {
    const names = this.#try(folder, () => readdirSync(this.bytesOf(folder), { encoding: 'buffer' })) ?? [];
    return names.map((name) => name.toString('latin1')).sort();
  }

  /** Paths of what lies in a folder, sorted by name. */
  paths(folder: string): readonly string[] {
    return this.names(folder).map((name) => posix.join(folder, name));
  }

  /** Follows links. */
  stat(path: string): BigIntStats | undefined {
    return this.#try(path, () => statSync(this.bytesOf(path), { bigint: true }));
  }

  lstat(path: string): BigIntStats | undefined {
    return this.#try(path, () => lstatSync(this.bytesOf(path), { bigint: true }));
  }

  isFolder(path: string): boolean {
    return this.stat(path)?.isDirectory() ?? false;
  }

  isFile(path: string): boolean {
    return this.stat(path)?.isFile() ?? false;
  }

  isProgram(path: string): boolean {
    const stat = this.stat(path);
    return stat?.isFile() === true && (stat.mode & 0o111n) !== 0n;
  }

  /** Where a link points, absolute and without `..`; undefined for what is no link. */
  linkTarget(path: string): string | undefined {
    if (this.lstat(path)?.isSymbolicLink() !== true) return undefined;
    const target = this.#try(path, () => readlinkSync(this.bytesOf(path), { encoding: 'buffer' }));
    return target === undefined ? undefined : posix.resolve(posix.dirname(path), target.toString('latin1'));
  }

  /** The text of a regular file; undefined for what is none, so that a FIFO does not hang. */
  text(path: string): string | undefined {
    return this.#try(path, () => {
      const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
      if (!statSync(this.bytesOf(path)).isFile()) return undefined;
      const descriptor = openSync(this.bytesOf(path), flags);
      try {
        const stat = fstatSync(descriptor);
        if (!stat.isFile()) return undefined;
        if (stat.size <= longestText) return readFileSync(descriptor, 'latin1');
        this.#note(`${display(path)} has ${stat.size} bytes, too many for its kind`);
        return undefined;
      } finally {
        closeSync(descriptor);
      }
    });
  }

  lines(path: string): readonly string[] {
    return (this.text(path) ?? '').split('\n');
  }

  #note(reason: string): void {
    this.#notes.push(`Not read: ${reason}.`);
  }

  #try<Value>(path: string, look: () => Value): Value | undefined {
    try {
      return look();
    } catch (error) {
      const code = systemCodeOf(error);
      if (code === undefined) throw error;
      if (!isAbsence(code)) this.#note(`${display(path)} (${code})`);
      return undefined;
    }
  }
}

const display = (latin1: string): string => Buffer.from(latin1, 'latin1').toString('utf8');
