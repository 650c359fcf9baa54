import type { Json, JsonObject } from '../json.ts';
import { ItemPage, resultTexts } from './itemPage.ts';
import type { ItemPosition } from './itemPosition.ts';
import { type ItemRow, type QueryPage, type QueryRun, selectItems } from './queryRun.ts';
import type { Condition } from './scope.ts';

/** An order that an index has. */
export interface StreamOrder {
  readonly orderBy: string;
  /** The item of the position and what is behind it. */
  readonly from: (position: ItemPosition) => Condition;
  /** What a position needs to know beside the row. */
  readonly keys: (row: ItemRow) => Json[];
}

/** The order of creation, which is the service's too when none is asked for. */
export const byRow: StreamOrder = {
  orderBy: 'ORDER BY row',
  from: ({ row }) => ({ sql: 'row >= ?', values: [row] }),
  keys: () => [],
};

/** One partition key after the other, for queries over several. */
export const byKey: StreamOrder = {
  orderBy: 'ORDER BY pk, row',
  from: ({ keys, row }) => ({ sql: '(pk, row) >= (?, ?)', values: [String(keys[0]), row] }),
  keys: ({ pk }) => [pk],
};

export const byId = (descending: boolean): StreamOrder => ({
  orderBy: descending ? 'ORDER BY id DESC' : 'ORDER BY id',
  from: ({ keys }) => ({ sql: descending ? 'id <= ?' : 'id >= ?', values: [String(keys[0])] }),
  keys: ({ id }) => [id],
});

/** Stops reading as soon as the page is full. */
export function streamInOrder(
  run: QueryRun,
  order: StreamOrder,
  position: ItemPosition | undefined,
): QueryPage {
  const from = position === undefined ? [] : [order.from(position)];
  const page = new ItemPage(run, position);
  for (const row of selectItems(run, from, order.orderBy)) {
    page.loaded += 1;
    const results = resultTexts(run, row, JSON.parse(row.body) as JsonObject);
    if (results.length === 0) continue;
    if (!page.offer({ row, keys: order.keys(row), results }, row.row === position?.row)) break;
  }
  return page.finish();
}
