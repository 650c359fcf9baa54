import type { Value } from '../compare.ts';

export interface SqlFunction {
  readonly min: number;
  readonly max: number;
  /** Gives undefined for arguments of the wrong type, as the service does. */
  readonly apply: (...args: Value[]) => Value;
}

export type SqlFunctions = Readonly<Record<string, SqlFunction>>;

/** A function of one to many arguments of any type. */
export const of = (min: number, max: number, apply: (...args: Value[]) => Value): SqlFunction => ({
  min,
  max,
  apply,
});

export const onText = (change: (text: string) => Value): SqlFunction =>
  of(1, 1, (text) => (typeof text === 'string' ? change(text) : undefined));

/** Gives undefined when the result is no number that JSON knows. */
export const onNumber = (change: (number: number) => number): SqlFunction =>
  of(1, 1, (number) => (typeof number === 'number' ? finite(change(number)) : undefined));

export function finite(number: number): number | undefined {
  return Number.isFinite(number) ? number : undefined;
}
