import { isJsonObject } from '../json.ts';
import { equalValues, type Value } from './compare.ts';

interface SqlFunction {
  readonly min: number;
  readonly max: number;
  /** Gives undefined for arguments of the wrong type, as the service does. */
  readonly apply: (...args: Value[]) => Value;
}

const typeTest = (test: (value: Value) => boolean): SqlFunction => ({ min: 1, max: 1, apply: test });

const textTest = (test: (text: string, part: string) => boolean): SqlFunction => ({
  min: 2,
  max: 3,
  apply: (text, part, ignoreCase) => {
    if (typeof text !== 'string' || typeof part !== 'string') return undefined;
    return ignoreCase === true ? test(text.toLowerCase(), part.toLowerCase()) : test(text, part);
  },
});

const onText = (change: (text: string) => Value): SqlFunction => ({
  min: 1,
  max: 1,
  apply: (text) => (typeof text === 'string' ? change(text) : undefined),
});

function containsPart(element: Value, part: Value): boolean {
  if (!isJsonObject(part)) return equalValues(element, part);
  return (
    isJsonObject(element) &&
    Object.entries(part).every(
      ([name, value]) => Object.hasOwn(element, name) && equalValues(element[name], value),
    )
  );
}

/** The functions that queries may call. */
export const functions: Readonly<Partial<Record<string, SqlFunction>>> = {
  IS_DEFINED: typeTest((value) => value !== undefined),
  IS_NULL: typeTest((value) => value === null),
  IS_BOOL: typeTest((value) => typeof value === 'boolean'),
  IS_NUMBER: typeTest((value) => typeof value === 'number'),
  IS_STRING: typeTest((value) => typeof value === 'string'),
  IS_ARRAY: typeTest((value) => Array.isArray(value)),
  IS_OBJECT: typeTest((value) => isJsonObject(value)),
  STARTSWITH: textTest((text, part) => text.startsWith(part)),
  ENDSWITH: textTest((text, part) => text.endsWith(part)),
  CONTAINS: textTest((text, part) => text.includes(part)),
  STRINGEQUALS: textTest((text, part) => text === part),
  LOWER: onText((text) => text.toLowerCase()),
  UPPER: onText((text) => text.toUpperCase()),
  LENGTH: onText((text) => text.length),
  ARRAY_LENGTH: {
    min: 1,
    max: 1,
    apply: (list) => (Array.isArray(list) ? list.length : undefined),
  },
  ARRAY_CONTAINS: {
    min: 2,
    max: 3,
    apply: (list, wanted, partial) => {
      if (!Array.isArray(list)) return undefined;
      return list.some((one) => (partial === true ? containsPart(one, wanted) : equalValues(one, wanted)));
    },
  },
};
