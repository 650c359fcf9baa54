import { areComparable, compareValues, equalValues, type Value } from './compare.ts';
import { finite } from './functions/sqlFunction.ts';
import type { ArithmeticOperator, ComparisonOperator } from './syntax.ts';

/** What an operator makes of two values; undefined when they are absent or of the wrong type. */
type Combine = (a: Value, b: Value) => Value;

const inOrder =
  (test: (order: number) => boolean): Combine =>
  (a, b) =>
    areComparable(a, b) ? test(compareValues(a, b)) : undefined;

const equality =
  (wanted: boolean): Combine =>
  (a, b) =>
    a === undefined || b === undefined ? undefined : equalValues(a, b) === wanted;

export const comparisonOperators: Readonly<Record<ComparisonOperator, Combine>> = {
  '=': equality(true),
  '!=': equality(false),
  '<': inOrder((order) => order < 0),
  '<=': inOrder((order) => order <= 0),
  '>': inOrder((order) => order > 0),
  '>=': inOrder((order) => order >= 0),
};

const numeric =
  (compute: (a: number, b: number) => number): Combine =>
  (a, b) =>
    typeof a === 'number' && typeof b === 'number' ? finite(compute(a, b)) : undefined;

export const arithmeticOperators: Readonly<Record<ArithmeticOperator, Combine>> = {
  '+': numeric((a, b) => a + b),
  '-': numeric((a, b) => a - b),
  '*': numeric((a, b) => a * b),
  '/': numeric((a, b) => a / b),
  '%': numeric((a, b) => a % b),
  '&': numeric((a, b) => a & b),
  '|': numeric((a, b) => a | b),
  '^': numeric((a, b) => a ^ b),
  '<<': numeric((a, b) => a << b),
  '>>': numeric((a, b) => a >> b),
  '>>>': numeric((a, b) => a >>> b),
};

export const concatenate: Combine = (a, b) =>
  typeof a === 'string' && typeof b === 'string' ? a + b : undefined;

export const unaryOperators: Readonly<Record<'NOT' | '-' | '+' | '~', (a: Value) => Value>> = {
  NOT: (a) => (typeof a === 'boolean' ? !a : undefined),
  '-': (a) => (typeof a === 'number' ? -a : undefined),
  '+': (a) => (typeof a === 'number' ? a : undefined),
  '~': (a) => (typeof a === 'number' ? ~a : undefined),
};
