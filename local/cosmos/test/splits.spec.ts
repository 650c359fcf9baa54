import { ChangeFeedStartFrom, type Container } from '@azure/cosmos';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CosmosUnderTest, startedCosmos } from './startedCosmos.ts';

let cosmos: CosmosUnderTest;
let container: Container;
beforeAll(async () => {
  cosmos = await startedCosmos();
  container = await cosmos.newContainer();
});
afterAll(() => cosmos.close());

const split = () => cosmos.local('POST', '_local/split', { database: 'tests', container: container.id });

it('loses, repeats and refuses nothing while writers, a query and the change feed go on', async () => {
  const writers = 8;
  const each = 40;
  let written = 0;
  const halves = [false, false];
  const writing = Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      for (let n = 0; n < each; n += 1) {
        await container.items.create({ id: `w${n}`, pk: `P${writer}`, n });
        written += 1;
        // Once in the first and once in the second half, by whoever comes first.
        const half = written > (writers * each) / 2 ? 1 : 0;
        if (written > 20 && halves[half] === false) {
          halves[half] = true;
          expect((await split()).status).toBe(204);
        }
      }
    }),
  );
  const feed = container.items.getChangeFeedIterator<{ pk: string; n: number }>({
    changeFeedStartFrom: ChangeFeedStartFrom.Beginning(),
    maxItemCount: 10,
  });
  const seen = new Map<string, number[]>();
  let total = 0;
  let queried = 0;
  for (let silent = 0; silent < 20 || total < writers * each;) {
    const { statusCode, result } = await feed.readNext();
    silent = statusCode === 304 ? silent + 1 : 0;
    for (const { pk, n } of statusCode === 304 ? [] : result) {
      seen.set(pk, [...(seen.get(pk) ?? []), n]);
      total += 1;
    }
    const { resources } = await container.items
      .query('SELECT * FROM c WHERE c.n >= 0', { maxItemCount: 50 })
      .fetchAll();
    expect(resources.length).toBeGreaterThanOrEqual(queried);
    queried = resources.length;
  }
  await writing;
  expect(total).toBe(writers * each);
  const inOrder = Array.from({ length: each }, (_, n) => n);
  expect([...seen.values()]).toEqual(Array.from({ length: writers }, () => inOrder));
  const filtered = await container.items
    .query('SELECT * FROM c WHERE c.n >= 0', { maxItemCount: 50 })
    .fetchAll();
  expect(filtered.resources).toHaveLength(writers * each);
  const fresh = cosmos.client().database('tests').container(container.id);
  expect((await fresh.items.query('SELECT VALUE COUNT(1) FROM c').fetchAll()).resources).toEqual([
    writers * each,
  ]);
  expect(await fresh.getFeedRanges()).toHaveLength(16);
});

it('names the parents of new ranges', async () => {
  const ranges = async () => (await container.readPartitionKeyRanges().fetchAll()).resources;
  const before = await ranges();
  await split();
  const after = await ranges();
  expect(after).toHaveLength(before.length * 2);
  expect(new Set(after.flatMap((one) => one.parents ?? []))).toEqual(new Set(before.map((one) => one.id)));
});

it('refuses to split what is not there', async () => {
  const missing = await cosmos.local('POST', '_local/split', { database: 'tests', container: 'missing' });
  expect(missing.status).toBe(404);
  expect((await cosmos.local('POST', '_local/split', {})).status).toBe(400);
});
