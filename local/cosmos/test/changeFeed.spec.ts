import {
  BulkOperationType,
  type ChangeFeedIteratorOptions,
  ChangeFeedStartFrom,
  type Container,
  StatusCodes,
} from '@azure/cosmos';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CosmosUnderTest, startedCosmos } from './startedCosmos.ts';

let cosmos: CosmosUnderTest;
beforeAll(async () => {
  cosmos = await startedCosmos();
});
afterAll(() => cosmos.close());

interface Change {
  id: string;
  pk: string;
  n: number;
  _lsn: number;
}

async function fill(container: Container, keys: number, each: number) {
  for (let n = 0; n < each; n += 1) {
    await Promise.all(
      Array.from({ length: keys }, (_, k) => container.items.create({ id: `i${n}`, pk: `P${k}`, n })),
    );
  }
}

/** Reads until a whole round over the partitions brings nothing new. */
async function drain(container: Container, options: ChangeFeedIteratorOptions, stopAfter = 4) {
  const iterator = container.items.getChangeFeedIterator<Change>(options);
  const changes: Change[] = [];
  const pages: number[] = [];
  let continuation = '';
  let silent = 0;
  while (silent < stopAfter) {
    const page = await iterator.readNext();
    continuation = page.continuationToken;
    if (page.statusCode === StatusCodes.NotModified) silent += 1;
    else {
      silent = 0;
      changes.push(...page.result);
      pages.push(page.result.length);
    }
  }
  return { changes, pages, continuation };
}

describe('the change feed', () => {
  it('gives every item once, in the order of writes within a key, from the beginning', async () => {
    const container = await cosmos.newContainer();
    await fill(container, 8, 10);
    await container.item('i3', 'P1').replace({ id: 'i3', pk: 'P1', n: 33 });
    const { changes } = await drain(container, {
      changeFeedStartFrom: ChangeFeedStartFrom.Beginning(),
      maxItemCount: 7,
    });
    expect(changes).toHaveLength(80);
    expect(new Set(changes.map((one) => `${one.pk}/${one.id}`)).size).toBe(80);
    expect(changes.filter((one) => one.pk === 'P1').map((one) => one.n)).toEqual([
      0, 1, 2, 4, 5, 6, 7, 8, 9, 33,
    ]);
    expect(changes.every((one) => one._lsn > 0)).toBe(true);
  });

  it('resumes after what was read, also across a restart', async () => {
    const container = await cosmos.newContainer();
    await fill(container, 4, 3);
    const first = await drain(container, { changeFeedStartFrom: ChangeFeedStartFrom.Beginning() });
    expect(first.changes).toHaveLength(12);
    await container.items.create({ id: 'new', pk: 'P2', n: 100 });
    await container.item('i0', 'P0').delete();
    await cosmos.restart();
    const next = await drain(container, {
      changeFeedStartFrom: ChangeFeedStartFrom.Continuation(first.continuation),
    });
    expect(next.changes.map((one) => one.id)).toEqual(['new']);
  });

  it('starts now', async () => {
    const container = await cosmos.newContainer();
    await fill(container, 4, 2);
    const now = await drain(container, { changeFeedStartFrom: ChangeFeedStartFrom.Now() });
    expect(now.changes).toEqual([]);
    await container.items.create({ id: 'after', pk: 'P9', n: 1 });
    const after = await drain(container, {
      changeFeedStartFrom: ChangeFeedStartFrom.Continuation(now.continuation),
    });
    expect(after.changes.map((one) => one.id)).toEqual(['after']);
  });

  it('starts at a point in time', async () => {
    const container = await cosmos.newContainer();
    await container.items.create({ id: 'old', pk: 'A', n: 1 });
    // The service's clock for this has whole seconds.
    const nextSecond = Math.floor(Date.now() / 1000) * 1000 + 1000;
    await new Promise((resolve) => setTimeout(resolve, nextSecond - Date.now() + 5));
    await container.items.create({ id: 'new', pk: 'A', n: 2 });
    const { changes } = await drain(container, {
      changeFeedStartFrom: ChangeFeedStartFrom.Time(new Date(nextSecond)),
    });
    expect(changes.map((one) => one.id)).toEqual(['new']);
  });

  it('reads one partition key, and one range, alone', async () => {
    const container = await cosmos.newContainer();
    await fill(container, 12, 2);
    const key = await drain(container, { changeFeedStartFrom: ChangeFeedStartFrom.Beginning('P5') }, 1);
    expect(key.changes.map((one) => [one.pk, one.n])).toEqual([
      ['P5', 0],
      ['P5', 1],
    ]);
    const ranges = await container.getFeedRanges();
    expect(ranges).toHaveLength(4);
    const byRange = [];
    for (const range of ranges) {
      byRange.push(
        (await drain(container, { changeFeedStartFrom: ChangeFeedStartFrom.Beginning(range) }, 1)).changes,
      );
    }
    expect(byRange.flat()).toHaveLength(24);
    expect(byRange.filter((changes) => changes.length > 0).length).toBeGreaterThan(1);
  });

  it('never splits a transaction over pages', async () => {
    const container = await cosmos.newContainer();
    const batch = (batchN: number, count: number) =>
      container.items.batch(
        Array.from({ length: count }, (_, n) => ({
          operationType: BulkOperationType.Create,
          resourceBody: { id: `b${batchN}-${n}`, pk: 'A', n },
        })),
        'A',
      );
    for (const [batchN, count] of [2, 7, 1, 4, 9].entries()) await batch(batchN, count);
    const { pages, changes } = await drain(
      container,
      { changeFeedStartFrom: ChangeFeedStartFrom.Beginning('A'), maxItemCount: 3 },
      1,
    );
    expect(changes.map((one) => one.id).sort()).toHaveLength(23);
    expect(pages).toEqual([9, 5, 9]);
  });

  it('is read to the end while partitions split', async () => {
    const container = await cosmos.newContainer();
    await fill(container, 16, 5);
    const iterator = container.items.getChangeFeedIterator<Change>({
      changeFeedStartFrom: ChangeFeedStartFrom.Beginning(),
      maxItemCount: 5,
    });
    const seen: string[] = [];
    let silent = 0;
    for (let page = 0; silent < 9; page += 1) {
      if (page === 3) {
        const split = await cosmos.local('POST', '_local/split', {
          database: 'tests',
          container: container.id,
        });
        expect(split.status).toBe(204);
      }
      const { statusCode, result } = await iterator.readNext();
      if (statusCode === StatusCodes.NotModified) silent += 1;
      else {
        silent = 0;
        seen.push(...result.map((one) => `${one.pk}/${one.id}`));
      }
    }
    expect(seen).toHaveLength(80);
    expect(new Set(seen).size).toBe(80);
    expect(await container.getFeedRanges()).toHaveLength(8);
  });
});
