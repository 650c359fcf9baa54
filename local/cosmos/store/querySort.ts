import type { Json, JsonObject } from '../json.ts';
import { compareValues } from '../sql/compare.ts';
import { propertyOf } from '../sql/evaluate.ts';
import { keyOf } from '../sql/select.ts';
import type { Ordering } from '../sql/syntax.ts';
import { type Candidate, ItemPage, resultTexts } from './itemPage.ts';
import type { ItemPosition } from './itemPosition.ts';
import { type QueryPage, type QueryRun, selectItems } from './queryRun.ts';

type Sortable = { readonly keys: readonly Json[]; readonly row: number };

/** For orders that no index has: collects what matches and sorts it. */
export function sortInMemory(run: QueryRun, position: ItemPosition | undefined): QueryPage {
  const { orderBy, distinct } = run.compiled.query;
  const page = new ItemPage(run, position);
  const candidates: Candidate[] = [];
  for (const row of selectItems(run, [], '')) {
    page.loaded += 1;
    const document = JSON.parse(row.body) as JsonObject;
    const keys = keysOf(orderBy, document);
    if (keys !== undefined) candidates.push({ row, keys, results: resultTexts(run, row, document) });
  }
  const compare = comparison(orderBy);
  const sortable = ({ keys, row }: Candidate): Sortable => ({ keys, row: row.row });
  candidates.sort((a, b) => compare(sortable(a), sortable(b)));
  for (const candidate of distinct ? withoutRepetitions(candidates) : candidates) {
    const order = position === undefined ? 1 : compare(sortable(candidate), position);
    if (order >= 0 && !page.offer(candidate, order === 0)) break;
  }
  return page.finish();
}

/** An item without one of the properties is not in their index, so the service leaves it out. */
function keysOf(orderBy: readonly Ordering[], document: JsonObject): Json[] | undefined {
  const keys = orderBy.map(({ expression }) => propertyOf(document, expression.path));
  const present = keys.filter((key) => key !== undefined);
  return present.length === keys.length ? present : undefined;
}

/** Equal keys stand in the order of the items, backwards as soon as one key does: the SDK relies on it. */
function comparison(orderBy: readonly Ordering[]): (a: Sortable, b: Sortable) => number {
  const ties = orderBy.some((one) => one.descending) ? -1 : 1;
  return (a, b) => {
    for (const [index, { descending }] of orderBy.entries()) {
      const order = compareValues(a.keys[index], b.keys[index]);
      if (order !== 0) return descending ? -order : order;
    }
    return (a.row - b.row) * ties;
  };
}

/** Each result counts where it comes first. */
function withoutRepetitions(candidates: readonly Candidate[]): Candidate[] {
  const seen = new Set<string>();
  return candidates.map((candidate) => ({
    ...candidate,
    results: candidate.results.filter((text) => {
      const key = keyOf(JSON.parse(text) as Json);
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    }),
  }));
}
