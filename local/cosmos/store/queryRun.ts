import type { Json, JsonObject } from '../json.ts';
import type { Parameters, Row } from '../sql/evaluate.ts';
import { limitsOf } from '../sql/select.ts';
import type { Database } from './database.ts';
import type { CompiledQuery } from './queryRequest.ts';
import type { Condition } from './scope.ts';

export interface QueryPage {
  /** JSON texts. */
  readonly documents: readonly string[];
  readonly continuation: string | undefined;
  /** Items loaded to make this page. */
  readonly loaded: number;
}

/** One page of a query under way. */
export interface QueryRun {
  readonly database: Database;
  readonly compiled: CompiledQuery;
  readonly parameters: Parameters;
  readonly conditions: readonly Condition[];
  readonly maxItems: number;
  /** Asked for each item when the answer is to lag behind. */
  readonly replica: Replica | undefined;
}

/** Gives the JSON text that a lagging replica has of an item; none when it does not have it. */
export type Replica = (item: { row: number; lsn: number; body: string }) => string | undefined;

/** An item as stored. */
export interface ItemRow {
  row: number;
  pk: string;
  id: string;
  body: string;
  lsn: number;
}

/** Bytes of a page; it ends behind the result that reaches them. */
export const maxPageSize = 4 * 1024 * 1024;

/** The items that a query may have to do with, in the order asked for. */
export function* selectItems(run: QueryRun, more: readonly Condition[], order: string): Iterable<ItemRow> {
  for (const one of select(run, more, order, 'row, pk, id, body, lsn')) {
    const item = one as ItemRow;
    const body = run.replica === undefined ? item.body : run.replica(item);
    if (body !== undefined) yield { ...item, body };
  }
}

export function countItems(run: QueryRun): number {
  for (const one of select(run, [], '', 'count(*) AS n')) return (one as { n: number }).n;
  return 0;
}

function select(
  run: QueryRun,
  more: readonly Condition[],
  order: string,
  columns: string,
): Iterable<unknown> {
  const conditions = [...run.conditions, ...more];
  const where = conditions.map((one) => one.sql).join(' AND ');
  return run.database
    .prepare(`SELECT ${columns} FROM items WHERE ${where} ${order}`)
    .iterate(...conditions.flatMap((one) => one.values));
}

/** What FROM and WHERE make of an item. */
export function rowsOf({ compiled, parameters }: QueryRun, document: JsonObject): Row[] {
  return compiled.rows({ values: { [compiled.alias]: document }, parameters });
}

/** The results of an item's rows, as values. */
export function resultsOf({ compiled }: QueryRun, rows: readonly Row[]): Json[] {
  return rows.map(compiled.project).filter((value) => value !== undefined);
}

export function limitsOfRun({ compiled, parameters }: QueryRun): { skip: number; take: number } {
  return limitsOf(compiled.query, { values: {}, parameters });
}
