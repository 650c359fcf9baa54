import type { Value } from '../compare.ts';
import { finite, of, onNumber, type SqlFunction, type SqlFunctions } from './sqlFunction.ts';

const pair = (combine: (a: number, b: number) => number): SqlFunction =>
  of(2, 2, (a: Value, b: Value) =>
    typeof a === 'number' && typeof b === 'number' ? finite(combine(a, b)) : undefined,
  );

/** Halves go away from zero. */
const round = (number: number) => Math.sign(number) * Math.round(Math.abs(number));

export const numberFunctions: SqlFunctions = {
  ABS: onNumber(Math.abs),
  CEILING: onNumber(Math.ceil),
  FLOOR: onNumber(Math.floor),
  TRUNC: onNumber(Math.trunc),
  ROUND: of(1, 2, (number, digits) => {
    if (typeof number !== 'number') return undefined;
    const factor = 10 ** (typeof digits === 'number' ? digits : 0);
    return finite(round(number * factor) / factor);
  }),
  SIGN: onNumber(Math.sign),
  SQRT: onNumber(Math.sqrt),
  SQUARE: onNumber((number) => number * number),
  EXP: onNumber(Math.exp),
  LOG10: onNumber(Math.log10),
  LOG: of(1, 2, (number, base) => {
    if (typeof number !== 'number') return undefined;
    return finite(Math.log(number) / (typeof base === 'number' ? Math.log(base) : 1));
  }),
  POWER: pair((base, exponent) => base ** exponent),
  PI: of(0, 0, () => Math.PI),
  SIN: onNumber(Math.sin),
  COS: onNumber(Math.cos),
  TAN: onNumber(Math.tan),
  COT: onNumber((angle) => 1 / Math.tan(angle)),
  ASIN: onNumber(Math.asin),
  ACOS: onNumber(Math.acos),
  ATAN: onNumber(Math.atan),
  ATN2: pair(Math.atan2),
  DEGREES: onNumber((angle) => (angle * 180) / Math.PI),
  RADIANS: onNumber((angle) => (angle * Math.PI) / 180),
  NUMBERBIN: of(1, 2, (number, size) => {
    const bin = typeof size === 'number' ? size : 1;
    return typeof number === 'number' ? finite(Math.floor(number / bin) * bin) : undefined;
  }),
};
