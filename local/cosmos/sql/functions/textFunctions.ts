import { badRequest } from '../../errors.ts';
import type { Json } from '../../json.ts';
import { isJsonObject } from '../../json.ts';
import type { Value } from '../compare.ts';
import { of, onText, type SqlFunction, type SqlFunctions } from './sqlFunction.ts';

const test = (holds: (text: string, part: string) => boolean): SqlFunction =>
  of(2, 3, (text, part, ignoreCase) => {
    if (typeof text !== 'string' || typeof part !== 'string') return undefined;
    return ignoreCase === true ? holds(text.toLowerCase(), part.toLowerCase()) : holds(text, part);
  });

/** Texts and a whole number: how the service counts characters, in UTF-16 units. */
const cut = (take: (text: string, count: number) => string): SqlFunction =>
  of(2, 2, (text, count) =>
    typeof text === 'string' && typeof count === 'number' ? take(text, Math.max(0, count)) : undefined,
  );

/** Reads a text as JSON of a type; undefined when it is something else. */
const parse = (isWanted: (value: Json) => boolean): SqlFunction =>
  onText((text) => {
    try {
      const value = JSON.parse(text) as Json;
      return isWanted(value) ? value : undefined;
    } catch {
      return undefined;
    }
  });

const areTexts = (values: readonly Value[]): values is string[] =>
  values.every((value) => typeof value === 'string');

function matches(text: Value, pattern: Value, modifiers: Value): Value {
  if (typeof text !== 'string' || typeof pattern !== 'string') return undefined;
  const flags = typeof modifiers === 'string' ? modifiers : '';
  try {
    // `x`, to ignore white space in the pattern, has no counterpart here.
    return new RegExp(pattern, flags).test(text);
  } catch {
    throw badRequest(`RegexMatch: '${pattern}' with '${flags}' is no pattern that is understood here.`);
  }
}

export const textFunctions: SqlFunctions = {
  STARTSWITH: test((text, part) => text.startsWith(part)),
  ENDSWITH: test((text, part) => text.endsWith(part)),
  CONTAINS: test((text, part) => text.includes(part)),
  STRINGEQUALS: test((text, part) => text === part),
  REGEXMATCH: of(2, 3, matches),
  INDEX_OF: of(2, 3, (text, part, from) =>
    typeof text === 'string' && typeof part === 'string'
      ? text.indexOf(part, typeof from === 'number' ? from : 0)
      : undefined,
  ),
  LOWER: onText((text) => text.toLowerCase()),
  UPPER: onText((text) => text.toUpperCase()),
  TRIM: onText((text) => text.trim()),
  LTRIM: onText((text) => text.trimStart()),
  RTRIM: onText((text) => text.trimEnd()),
  LENGTH: onText((text) => text.length),
  REVERSE: onText((text) => [...text].reverse().join('')),
  LEFT: cut((text, count) => text.slice(0, count)),
  RIGHT: cut((text, count) => (count === 0 ? '' : text.slice(-count))),
  SUBSTRING: of(3, 3, (text, start, length) =>
    typeof text === 'string' && typeof start === 'number' && typeof length === 'number'
      ? text.slice(Math.max(0, start), Math.max(0, start) + Math.max(0, length))
      : undefined,
  ),
  REPLICATE: of(2, 2, (text, times) =>
    typeof text === 'string' && typeof times === 'number' && times >= 0 && text.length * times <= 10_000
      ? text.repeat(times)
      : undefined,
  ),
  REPLACE: of(3, 3, (...args) => {
    if (!areTexts(args)) return undefined;
    const [text = '', part = '', by = ''] = args;
    return part === '' ? text : text.replaceAll(part, () => by);
  }),
  CONCAT: of(2, Number.POSITIVE_INFINITY, (...args) => (areTexts(args) ? args.join('') : undefined)),
  STRINGJOIN: of(2, 2, (list, separator) =>
    Array.isArray(list) && areTexts(list) && typeof separator === 'string' ? list.join(separator) : undefined,
  ),
  STRINGSPLIT: of(2, 2, (text, separator) =>
    typeof text === 'string' && typeof separator === 'string' ? text.split(separator) : undefined,
  ),
  TOSTRING: of(1, 1, (value) =>
    value === undefined || typeof value === 'string' ? value : JSON.stringify(value),
  ),
  STRINGTONUMBER: parse((value) => typeof value === 'number'),
  STRINGTOBOOLEAN: parse((value) => typeof value === 'boolean'),
  STRINGTONULL: parse((value) => value === null),
  STRINGTOARRAY: parse((value) => Array.isArray(value)),
  STRINGTOOBJECT: parse((value) => isJsonObject(value)),
};
