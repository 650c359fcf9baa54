import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessStat {
  readonly pid: number;
  readonly name: Buffer;
  /** One letter, as `ps` shows it. */
  readonly state: string;
  readonly parentPid: number;
  readonly groupId: number;
  /** Fields from number 3 (state) on. */
  readonly fields: readonly string[];
}

/** Undefined when there is no such process (any more). */
export const readStat = (pid: number): ProcessStat | undefined => {
  let content: Buffer;
  try {
    content = readFileSync(`/proc/${pid}/stat`);
  } catch {
    return undefined;
  }
  // The name stands in brackets and may itself hold brackets and blanks: only the last `)` ends it.
  const end = content.lastIndexOf(')');
  const fields = content
    .subarray(end + 2)
    .toString('latin1')
    .trimEnd()
    .split(' ');
  return {
    pid,
    name: content.subarray(content.indexOf('(') + 1, end),
    state: fields[0] ?? '?',
    parentPid: Number(fields[1]),
    groupId: Number(fields[2]),
    fields,
  };
};

/** Clock ticks after boot. */
export const startTimeOf = (stat: ProcessStat): string => stat.fields[19] ?? '';

export const processIds = (): readonly number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

export const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
