import { UnexpectedAnswerError } from './errors.ts';

/** One page of rows; `next` is the cursor of the page after it, null after the last one. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly next: string | null;
}

/** All rows of all pages. A server that gives the same cursor twice would keep a caller busy for ever; that throws. */
export async function* everyRow<Row>(
  read: (before: string | undefined) => Promise<Page<Row>>,
): AsyncGenerator<Row, void, undefined> {
  for (let before: string | undefined; ;) {
    const { rows, next } = await read(before);
    yield* rows;
    if (next === null) return;
    if (next === before)
      throw new UnexpectedAnswerError('A page of a list', `the cursor "${next}" a second time`);
    before = next;
  }
}
