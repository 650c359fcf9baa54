import type { JsonObject } from '../json.ts';
import { compareStrings } from '../sql/compare.ts';
import type { Row } from '../sql/evaluate.ts';
import { groupsOf, keyOf } from '../sql/select.ts';
import type { Expression } from '../sql/syntax.ts';
import { encodePosition, type ValuePosition } from './itemPosition.ts';
import {
  countItems,
  limitsOfRun,
  maxPageSize,
  type QueryPage,
  type QueryRun,
  resultsOf,
  rowsOf,
  selectItems,
} from './queryRun.ts';

/** Groups, or the one group that an aggregate goes over. */
export function pageOfGroups(run: QueryRun, position: ValuePosition | undefined): QueryPage {
  const { query, project } = run.compiled;
  const outer: Row = { values: {}, parameters: run.parameters };
  if (isCountOfAll(run)) return cutPage(run, new Map([['', String(countItems(run))]]), 0, position);
  const { rows, loaded } = loadRows(run);
  const results = new Map<string, string>();
  for (const { key, row } of groupsOf(query, rows, outer)) {
    const value = project(row);
    if (value !== undefined) results.set(query.distinct ? keyOf(value) : key, JSON.stringify(value));
  }
  return cutPage(run, results, loaded, position);
}

export function pageOfDistinct(run: QueryRun, position: ValuePosition | undefined): QueryPage {
  const { rows, loaded } = loadRows(run);
  const results = new Map(resultsOf(run, rows).map((value) => [keyOf(value), JSON.stringify(value)]));
  return cutPage(run, results, loaded, position);
}

function loadRows(run: QueryRun): { rows: Row[]; loaded: number } {
  const rows: Row[] = [];
  let loaded = 0;
  for (const { body } of selectItems(run, [], '')) {
    loaded += 1;
    rows.push(...rowsOf(run, JSON.parse(body) as JsonObject));
  }
  return { rows, loaded };
}

function cutPage(
  run: QueryRun,
  results: ReadonlyMap<string, string>,
  loaded: number,
  position: ValuePosition | undefined,
): QueryPage {
  const { skip, take } = limitsOfRun(run);
  let left = position?.left ?? take;
  const sorted = [...results].sort(([a], [b]) => compareStrings(a, b));
  const wanted =
    position === undefined
      ? sorted.slice(skip)
      : sorted.filter(([key]) => compareStrings(key, position.after) > 0);
  const documents: string[] = [];
  let size = 0;
  let after = '';
  for (const [key, text] of wanted) {
    if (left <= 0) break;
    if (documents.length >= run.maxItems || size >= maxPageSize) {
      const rest = Number.isFinite(left) ? { left } : {};
      return { documents, loaded, continuation: encodePosition({ after, ...rest }) };
    }
    documents.push(text);
    size += text.length;
    left -= 1;
    after = key;
  }
  return { documents, loaded, continuation: undefined };
}

/** `SELECT VALUE COUNT(1) FROM c`, which needs no item to be loaded. */
function isCountOfAll({ compiled: { query }, replica }: QueryRun): boolean {
  const { selection, where, sources, groupBy } = query;
  const counted = selection.kind === 'value' ? countedBy(selection.expression) : undefined;
  return (
    replica === undefined &&
    counted?.kind === 'literal' &&
    counted.value !== undefined &&
    where === undefined &&
    sources.length === 1 &&
    groupBy.length === 0
  );
}

function countedBy(expression: Expression): Expression | undefined {
  return expression.kind === 'aggregate' && expression.name === 'COUNT' ? expression.argument : undefined;
}
