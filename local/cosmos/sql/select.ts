import { badRequest } from '../errors.ts';
import type { Json } from '../json.ts';
import type { Value } from './compare.ts';
import { createCompiler, type Evaluate, type Row } from './evaluate.ts';
import type { Expression, Query, Source } from './syntax.ts';

/** Compiles the expressions of queries, subqueries in them included. */
export const { compile, compileFields } = createCompiler((query) => compileSelect(query));

/** Gives the rows of FROM and WHERE for what is known before: the item, or the row of the outer query. */
export type Rows = (before: Row) => Row[];

/** Results that belong to one group. `key` is a text that is equal for equal groups. */
export interface Group {
  readonly key: string;
  readonly row: Row;
}

/** A whole query over the row of an outer one, as a subquery is. */
export function compileSelect(query: Query): (row: Row) => Json[] {
  const rows = compileRows(query);
  const project = compileSelection(query);
  const { distinct } = query;
  return (outer) => {
    const selected = isGrouped(query)
      ? groupsOf(query, rows(outer), outer).map(({ row }) => project(row))
      : rows(outer).map(project);
    const values = selected.filter((value) => value !== undefined);
    const results = distinct ? [...new Map(values.map((value) => [keyOf(value), value])).values()] : values;
    const { skip, take } = limitsOf(query, outer);
    return results.slice(skip, skip + take);
  };
}

export function compileRows({ sources, where }: Query): Rows {
  const expansions = sources.flatMap(compileSource);
  const holds = where === undefined ? undefined : compile(where);
  return (before) => {
    let rows: Row[] = [before];
    for (const expand of expansions) rows = rows.flatMap(expand);
    return holds === undefined ? rows : rows.filter((row) => holds(row) === true);
  };
}

/** The item itself is in the row already. */
function compileSource(source: Source): ((row: Row) => Row[])[] {
  if (source.kind === 'container') return [];
  const of = compile(source.of);
  const bind = (row: Row, value: Value): Row => ({
    ...row,
    values: { ...row.values, [source.alias]: value },
  });
  return [
    (row) => {
      const value = of(row);
      if (source.kind === 'value') return value === undefined ? [] : [bind(row, value)];
      return Array.isArray(value) ? value.map((element) => bind(row, element)) : [];
    },
  ];
}

export function compileSelection({ selection, sources }: Query): Evaluate {
  if (selection.kind === 'value') return compile(selection.expression);
  if (selection.kind === 'fields') return compileFields(selection.fields);
  const alias = sources.at(-1)?.alias ?? '';
  return ({ values }) => values[alias];
}

export const isGrouped = ({ groupBy, aggregates }: Query): boolean => groupBy.length > 0 || aggregates;

/** Without GROUP BY all rows are one group, which is there even when it is empty. */
export function groupsOf({ groupBy }: Query, rows: readonly Row[], outer: Row): Group[] {
  const keys = groupBy.map(compile);
  const groups = new Map<string, Row[]>(groupBy.length === 0 ? [['', []]] : []);
  for (const row of rows) {
    const key = groupBy.length === 0 ? '' : keyOf(keys.map((one) => one(row) ?? { absent: true }));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return [...groups].map(([key, group]) => ({ key, row: { ...(group[0] ?? outer), group } }));
}

/** One text for equal values: properties are sorted by name. */
export function keyOf(value: Json): string {
  return JSON.stringify(value, (_name, one: Json) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}

/** What TOP, OFFSET and LIMIT say. `take` is infinite without them. */
export function limitsOf({ top, offset, limit }: Query, row: Row): { skip: number; take: number } {
  const number = (expression: Expression | undefined, otherwise: number) =>
    expression === undefined ? otherwise : wholeNumber(compile(expression)(row));
  const take = Math.min(number(top, Number.POSITIVE_INFINITY), number(limit, Number.POSITIVE_INFINITY));
  return { skip: number(offset, 0), take };
}

function wholeNumber(value: Value): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw badRequest('TOP, OFFSET and LIMIT take whole numbers from 0.');
  }
  return value;
}
