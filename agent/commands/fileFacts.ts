import type { BigIntStats } from 'node:fs';

export type FileKind = 'file' | 'directory' | 'link' | 'fifo' | 'socket' | 'device' | 'other';

export const kindOf = (stat: BigIntStats): FileKind => {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'link';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isSocket()) return 'socket';
  if (stat.isBlockDevice() || stat.isCharacterDevice()) return 'device';
  return 'other';
};

const typeLetter = (stat: BigIntStats): string => {
  if (stat.isDirectory()) return 'd';
  if (stat.isSymbolicLink()) return 'l';
  if (stat.isFIFO()) return 'p';
  if (stat.isSocket()) return 's';
  if (stat.isBlockDevice()) return 'b';
  if (stat.isCharacterDevice()) return 'c';
  return '-';
};

/** As `ls -l` shows it, ten letters. */
export const modeTextOf = (stat: BigIntStats): string => {
  const mode = Number(stat.mode);
  const triple = (bits: number, special: boolean, letter: string): string => {
    const runs = (bits & 1) !== 0;
    const last = special ? (runs ? letter : letter.toUpperCase()) : runs ? 'x' : '-';
    return `${(bits & 4) !== 0 ? 'r' : '-'}${(bits & 2) !== 0 ? 'w' : '-'}${last}`;
  };
  return [
    typeLetter(stat),
    triple(mode >> 6, (mode & 0o4000) !== 0, 's'),
    triple(mode >> 3, (mode & 0o2000) !== 0, 's'),
    triple(mode, (mode & 0o1000) !== 0, 't'),
  ].join('');
};

/** UTC ISO 8601 with milliseconds, cut and not rounded; null for a time that no calendar holds. */
export const timeOf = (nanoseconds: bigint): string | null => {
  const million = 1_000_000n;
  const remainder = nanoseconds % million;
  const milliseconds = nanoseconds / million - (remainder < 0n ? 1n : 0n);
  const date = new Date(Number(milliseconds));
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
};
