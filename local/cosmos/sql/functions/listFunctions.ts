import type { Json } from '../../json.ts';
import { isJsonObject } from '../../json.ts';
import { equalValues, type Value } from '../compare.ts';
import { of, type SqlFunctions } from './sqlFunction.ts';

function containsPart(element: Value, part: Value): boolean {
  if (!isJsonObject(part)) return equalValues(element, part);
  return (
    isJsonObject(element) &&
    Object.entries(part).every(
      ([name, value]) => Object.hasOwn(element, name) && containsPart(element[name], value),
    )
  );
}

const contains = (list: readonly Json[], wanted: Value) => list.some((one) => equalValues(one, wanted));

const distinct = (list: readonly Json[]): Json[] =>
  list.filter((one, index) => list.findIndex((other) => equalValues(one, other)) === index);

/** Functions of lists and objects. */
export const listFunctions: SqlFunctions = {
  ARRAY_LENGTH: of(1, 1, (list) => (Array.isArray(list) ? list.length : undefined)),
  ARRAY_CONTAINS: of(2, 3, (list, wanted, partial) => {
    if (!Array.isArray(list)) return undefined;
    return partial === true ? list.some((one) => containsPart(one, wanted)) : contains(list, wanted);
  }),
  ARRAY_CONTAINS_ANY: of(2, Number.POSITIVE_INFINITY, (list, ...wanted) =>
    Array.isArray(list) ? wanted.some((one) => contains(list, one)) : undefined,
  ),
  ARRAY_CONTAINS_ALL: of(2, Number.POSITIVE_INFINITY, (list, ...wanted) =>
    Array.isArray(list) ? wanted.every((one) => contains(list, one)) : undefined,
  ),
  ARRAY_CONCAT: of(2, Number.POSITIVE_INFINITY, (...lists) =>
    lists.every((list) => Array.isArray(list)) ? lists.flat(1) : undefined,
  ),
  ARRAY_SLICE: of(2, 3, (list, start, length) => {
    if (!Array.isArray(list) || typeof start !== 'number') return undefined;
    const first = start < 0 ? Math.max(0, list.length + start) : start;
    return list.slice(first, typeof length === 'number' ? first + Math.max(0, length) : undefined);
  }),
  SETINTERSECT: of(2, 2, (a, b) =>
    Array.isArray(a) && Array.isArray(b) ? distinct(a.filter((one) => contains(b, one))) : undefined,
  ),
  SETUNION: of(2, 2, (a, b) => (Array.isArray(a) && Array.isArray(b) ? distinct([...a, ...b]) : undefined)),
  SETDIFFERENCE: of(2, 2, (a, b) =>
    Array.isArray(a) && Array.isArray(b) ? distinct(a.filter((one) => !contains(b, one))) : undefined,
  ),
  OBJECTTOARRAY: of(1, 3, (object, nameOfKey, nameOfValue) => {
    if (!isJsonObject(object)) return undefined;
    const k = typeof nameOfKey === 'string' ? nameOfKey : 'k';
    const v = typeof nameOfValue === 'string' ? nameOfValue : 'v';
    return Object.entries(object).map(([name, value]) => ({ [k]: name, [v]: value }));
  }),
};
