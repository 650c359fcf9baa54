import { ChangeFeedMode, ChangeFeedStartFrom, type Container } from '@azure/cosmos';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CosmosUnderTest, refusal, startedCosmos } from './startedCosmos.ts';

let cosmos: CosmosUnderTest;
let container: Container;
beforeAll(async () => {
  cosmos = await startedCosmos();
  container = await cosmos.newContainer({ defaultTtl: -1, changeFeedPolicy: { retentionDuration: 10 } });
});
afterAll(() => cosmos.close());

interface Item {
  id: string;
  n: number;
}
interface Version {
  current?: Item;
  previous?: Item;
  metadata: { lsn: number; operationType: string; timeToLiveExpired?: boolean; id?: string };
}

const from = (changeFeedStartFrom: ChangeFeedStartFrom) =>
  container.items.getChangeFeedIterator<Version>({
    changeFeedStartFrom,
    changeFeedMode: ChangeFeedMode.AllVersionsAndDeletes,
  });

/** Where the feed of a key ends now. */
const now = async (pk: string) => (await from(ChangeFeedStartFrom.Now(pk)).readNext()).continuationToken;

async function versionsSince(token: string): Promise<Version[]> {
  const { result } = await from(ChangeFeedStartFrom.Continuation(token)).readNext();
  return result ?? [];
}

it('gives every version and the deletion, with what was before', async () => {
  const start = await now('A');
  await container.items.create({ id: 'a', pk: 'A', n: 1 });
  await container.item('a', 'A').replace({ id: 'a', pk: 'A', n: 2 });
  await container.item('a', 'A').patch([{ op: 'incr', path: '/n', value: 1 }]);
  await container.item('a', 'A').delete();
  await cosmos.restart();
  const versions = await versionsSince(start);
  expect(versions.map((one) => [one.metadata.operationType, one.current?.n, one.previous?.n])).toEqual([
    ['create', 1, undefined],
    ['replace', 2, 1],
    ['replace', 3, 2],
    ['delete', undefined, 3],
  ]);
  expect(versions.at(-1)?.metadata).toMatchObject({ id: 'a', partitionKey: { pk: 'A' } });
  const lsns = versions.map((one) => one.metadata.lsn);
  expect(lsns).toEqual([...lsns].sort((a, b) => a - b));
});

it('tells that an item ran out of time', async () => {
  const start = await now('B');
  await container.items.create({ id: 'b', pk: 'B', n: 1, ttl: 1 });
  const last = async () => (await versionsSince(start)).at(-1)?.metadata;
  await expect.poll(last, { timeout: 10_000 }).toMatchObject({
    ...{ operationType: 'delete', timeToLiveExpired: true, id: 'b' },
  });
});

it('tells of the end of an item whose id is used again before it was cleared away', async () => {
  const start = await now('C');
  await container.items.create({ id: 'c', pk: 'C', n: 1, ttl: 1 });
  const again = () =>
    container.items.create({ id: 'c', pk: 'C', n: 2 }).then(
      () => true,
      () => false,
    );
  await expect.poll(again, { timeout: 10_000, interval: 20 }).toBe(true);
  const versions = await versionsSince(start);
  expect(versions.map(({ metadata }) => [metadata.operationType, metadata.timeToLiveExpired])).toEqual([
    ['create', undefined],
    ['delete', true],
    ['create', undefined],
  ]);
});

it('goes over all partitions and survives a split', async () => {
  const iterator = from(ChangeFeedStartFrom.Now());
  let token = '';
  for (let page = 0; page < 4; page += 1) token = (await iterator.readNext()).continuationToken;
  await Promise.all(
    Array.from({ length: 20 }, (_, n) => container.items.create({ id: `s${n}`, pk: `S${n}`, n })),
  );
  await cosmos.local('POST', '_local/split', { database: 'tests', container: container.id });
  await Promise.all(Array.from({ length: 20 }, (_, n) => container.item(`s${n}`, `S${n}`).delete()));
  const resumed = from(ChangeFeedStartFrom.Continuation(token));
  const seen: string[] = [];
  let silent = 0;
  while (silent < 9) {
    const page = await resumed.readNext();
    silent = page.statusCode === 304 ? silent + 1 : 0;
    seen.push(...(page.result ?? []).map((one) => one.metadata.operationType));
  }
  expect(seen.sort()).toEqual([...Array<string>(20).fill('create'), ...Array<string>(20).fill('delete')]);
});

it('refuses a beginning that is not kept, and containers that keep nothing', async () => {
  expect((await refusal(from(ChangeFeedStartFrom.Beginning('A')).readNext())).message).toContain('from now');
  const forgetful = await cosmos.newContainer();
  const reading = forgetful.items
    .getChangeFeedIterator({
      changeFeedStartFrom: ChangeFeedStartFrom.Now('A'),
      changeFeedMode: ChangeFeedMode.AllVersionsAndDeletes,
    })
    .readNext();
  expect((await refusal(reading)).message).toContain('changeFeedPolicy');
});
