import type { Value } from '../compare.ts';
import { of, type SqlFunction, type SqlFunctions } from './sqlFunction.ts';

/** The service writes times with seven digits of a second. */
const written = (ms: number) => new Date(ms).toISOString().replace('Z', '0000Z');

function parse(time: Value): number | undefined {
  if (typeof time !== 'string') return undefined;
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? undefined : ms;
}

const partNames: readonly (readonly string[])[] = [
  ['year', 'yyyy', 'yy'],
  ['month', 'mm', 'm'],
  ['day', 'dd', 'd'],
  ['hour', 'hh'],
  ['minute', 'mi', 'n'],
  ['second', 'ss', 's'],
  ['millisecond', 'ms'],
];

function fieldsOf(ms: number): number[] {
  const time = new Date(ms);
  return [
    time.getUTCFullYear(),
    time.getUTCMonth(),
    time.getUTCDate(),
    time.getUTCHours(),
    time.getUTCMinutes(),
    time.getUTCSeconds(),
    time.getUTCMilliseconds(),
  ];
}

const fromFields = ([year = 0, month, day, hour, minute, second, ms]: readonly number[]) =>
  Date.UTC(year, month, day, hour, minute, second, ms);

const partIndex = (part: Value) =>
  typeof part === 'string' ? partNames.findIndex((names) => names.includes(part.toLowerCase())) : -1;

/** A month that is too short for the day gives its last day. */
function added(fields: readonly number[], index: number, number: number): number[] {
  const moved = fields.map((field, at) => (at === index ? field + number : field));
  const [year = 0, month = 0, day = 1] = moved;
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return index <= 1 ? moved.map((field, at) => (at === 2 ? Math.min(day, lastDay) : field)) : moved;
}

/** How many boundaries of a part lie between the beginning of time and an instant. */
function boundaries(part: number, ms: number): number {
  const [year = 0, month = 0] = fieldsOf(ms);
  if (part === 0) return year;
  if (part === 1) return year * 12 + month;
  const length = [0, 0, 86_400_000, 3_600_000, 60_000, 1000, 1][part] ?? 1;
  return Math.floor(ms / length);
}

const now = (give: (ms: number) => Value): SqlFunction => of(0, 0, () => give(Date.now()));
const ticksAtEpoch = 621_355_968_000_000_000;

export const timeFunctions: SqlFunctions = {
  GETCURRENTDATETIME: now(written),
  GETCURRENTTIMESTAMP: now((ms) => ms),
  GETCURRENTTICKS: now((ms) => ms * 10_000 + ticksAtEpoch),
  DATETIMETOTIMESTAMP: of(1, 1, parse),
  TIMESTAMPTODATETIME: of(1, 1, (ms) => (typeof ms === 'number' ? written(ms) : undefined)),
  DATETIMETOTICKS: of(1, 1, (time) => {
    const ms = parse(time);
    return ms === undefined ? undefined : ms * 10_000 + ticksAtEpoch;
  }),
  DATETIMEADD: of(3, 3, (part, number, time) => {
    const [index, ms] = [partIndex(part), parse(time)];
    if (index < 0 || ms === undefined || typeof number !== 'number') return undefined;
    return written(fromFields(added(fieldsOf(ms), index, number)));
  }),
  DATETIMEDIFF: of(3, 3, (part, start, end) => {
    const [index, from, to] = [partIndex(part), parse(start), parse(end)];
    if (index < 0 || from === undefined || to === undefined) return undefined;
    return boundaries(index, to) - boundaries(index, from);
  }),
  DATETIMEPART: of(2, 2, (part, time) => {
    const [index, ms] = [partIndex(part), parse(time)];
    if (index < 0 || ms === undefined) return undefined;
    const field = fieldsOf(ms)[index] ?? 0;
    return index === 1 ? field + 1 : field;
  }),
};
