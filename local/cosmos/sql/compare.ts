import type { Json } from '../json.ts';
import { isJsonObject } from '../json.ts';

/** A value, or its absence. */
export type Value = Json | undefined;

/** Absent values first, then by type: that is the order the service's index has. */
function rank(value: Value): number {
  if (value === undefined) return 0;
  if (value === null) return 1;
  if (typeof value === 'boolean') return 2;
  if (typeof value === 'number') return 3;
  if (typeof value === 'string') return 4;
  return Array.isArray(value) ? 5 : 6;
}

/** Compares by code points, which is the order of UTF-8 bytes in SQLite and in the service. */
export function compareStrings(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at += 1) {
    let x = a.charCodeAt(at);
    let y = b.charCodeAt(at);
    if (x === y) continue;
    // Halves of code points above U+FFFF sort after everything else, although their numbers are smaller.
    if (x >= 0xd800 && x <= 0xdfff) x += 0x10000;
    if (y >= 0xd800 && y <= 0xdfff) y += 0x10000;
    return x - y;
  }
  return a.length - b.length;
}

/** A total order over values of all types. Arrays and objects are ordered among themselves as equal. */
export function compareValues(a: Value, b: Value): number {
  const difference = rank(a) - rank(b);
  if (difference !== 0) return difference;
  if (typeof a === 'string' && typeof b === 'string') return compareStrings(a, b);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return Number(a === true) - Number(b === true);
}

export function equalValues(a: Value, b: Value): boolean {
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((one, index) => equalValues(one, b[index]));
  }
  if (isJsonObject(a)) {
    if (!isJsonObject(b)) return false;
    const names = Object.keys(a);
    return (
      names.length === Object.keys(b).length &&
      names.every((name) => Object.hasOwn(b, name) && equalValues(a[name], b[name]))
    );
  }
  return a === b;
}

/** Whether the order of two values is defined for `<` and its kin: both of one simple type. */
export function areComparable(a: Value, b: Value): boolean {
  return a !== undefined && rank(a) === rank(b) && rank(a) <= 4;
}
