import { ChangeFeedStartFrom, type Container } from '@azure/cosmos';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type CosmosUnderTest, refusal, startedCosmos } from './startedCosmos.ts';

let cosmos: CosmosUnderTest;
let container: Container;
beforeAll(async () => {
  cosmos = await startedCosmos();
  container = await cosmos.newContainer();
  await container.items.create({ id: 'warm', pk: 'A' });
});
afterAll(() => cosmos.close());
beforeEach(async () => {
  await cosmos.local('POST', '_local/faults', []);
  await cosmos.local('POST', '_local/counters/reset');
});

const counters = async () =>
  (await cosmos.local('GET', '_local/counters')).body as Record<
    string,
    { count: number; requestUnits: number }
  >;

it('counts requests and what they cost by kind', async () => {
  await container.items.create({ id: 'a', pk: 'A' });
  await container.item('a', 'A').read();
  await container.item('missing', 'A').read();
  await container.items.query('SELECT * FROM c', { partitionKey: 'A' }).fetchAll();
  const counted = await counters();
  expect(counted.createItem).toEqual({ count: 1, requestUnits: 5.5 });
  expect(counted.readItem).toEqual({ count: 2, requestUnits: 3.24 });
  expect(counted.query?.count).toBe(1);
  expect(counted.replaceItem).toBeUndefined();
});

it('throttles, and the SDK tries again', async () => {
  await cosmos.local('POST', '_local/faults', [
    { kind: 'createItem', times: 2, status: 429, substatus: 3200, retryAfterMs: 5 },
  ]);
  expect((await container.items.create({ id: 'throttled', pk: 'A' })).statusCode).toBe(201);
  expect((await counters()).createItem?.count).toBe(3);
});

it('answers any status as often as it is told', async () => {
  await cosmos.local('POST', '_local/faults', [{ kind: 'batch', status: 408 }]);
  const append = () => container.items.batch([{ operationType: 'Read', id: 'warm' }], 'A');
  await refusal(append());
  expect((await append()).code).toBe(200);
});

it('cuts the connection before and after the work', async () => {
  const create = (id: string) => container.items.create({ id, pk: 'A' });
  await cosmos.local('POST', '_local/faults', [{ kind: 'createItem', cut: 'before' }]);
  expect((await refusal(create('before'))).code).toBe('ECONNRESET');
  expect((await container.item('before', 'A').read()).statusCode).toBe(404);
  await cosmos.local('POST', '_local/faults', [{ kind: 'createItem', cut: 'after' }]);
  expect((await refusal(create('after'))).code).toBe('ECONNRESET');
  expect((await container.item('after', 'A').read()).statusCode).toBe(200);
});

it('serves stale reads to those who allow them, and to nobody else', async () => {
  const weak = (consistencyLevel: 'Eventual' | 'Session') =>
    cosmos.client({ consistencyLevel }).database('tests').container(container.id);
  const numberIn = async (from: Container) => (await from.item('lag', 'A').read<{ n: number }>()).resource?.n;
  const session = weak('Session');
  await container.items.create({ id: 'lag', pk: 'A', n: 1 });
  await session.item('lag', 'A').replace({ id: 'lag', pk: 'A', n: 2 });
  await cosmos.local('POST', '_local/faults', [{ kind: 'readItem', stale: true, times: 1 }]);
  expect(await numberIn(container)).toBe(2);
  expect(await numberIn(session)).toBe(2);
  expect(await numberIn(weak('Eventual'))).toBe(1);
  expect(await numberIn(weak('Eventual'))).toBe(2);
  await cosmos.local('POST', '_local/faults', [{ kind: 'readItem', stale: true, times: 1 }]);
  expect(await numberIn(weak('Session'))).toBe(1);
});

it('refuses everything for a time, and tells how often', async () => {
  await cosmos.local('POST', '_local/faults', [{ kind: '*', status: 503, forMs: 60_000 }]);
  for (const attempt of [1, 2]) {
    expect((await refusal(container.items.create({ id: `away-${attempt}`, pk: 'A' }))).code).toBe(503);
  }
  const [fault] = (await cosmos.local('GET', '_local/faults')).body as { met: number; over: boolean }[];
  expect(fault).toMatchObject({ kind: '*', over: false });
  expect(fault?.met).toBeGreaterThanOrEqual(2);
  await cosmos.local('POST', '_local/faults', [{ kind: '*', status: 503, forMs: 1 }]);
  const ended = async () => (await cosmos.local('GET', '_local/faults')).body;
  await expect.poll(ended).toMatchObject([{ over: true }]);
  expect((await container.items.create({ id: 'back', pk: 'A' })).statusCode).toBe(201);
});

it('meets a share of the requests, of one container only', async () => {
  const other = await cosmos.newContainer();
  await other.items.create({ id: 'warm', pk: 'A' });
  await cosmos.local('POST', '_local/faults', [
    { kind: 'createItem', container: container.id, status: 408, probability: 0.5, forMs: 60_000 },
  ]);
  const create = (into: Container, id: string) =>
    into.items.create({ id, pk: 'A' }).then(
      () => 1,
      () => 0,
    );
  const made = await Promise.all(Array.from({ length: 100 }, (_, n) => create(container, `share-${n}`)));
  const count = made.filter((one) => one === 1).length;
  // 100 throws of a coin leave this interval once in 10 billion runs.
  expect(count).toBeGreaterThan(17);
  expect(count).toBeLessThan(83);
  expect(await Promise.all(Array.from({ length: 20 }, (_, n) => create(other, `${n}`)))).not.toContain(0);
});

it.each([
  ['createItem', 429],
  ['readItem', 429],
  ['readItem', 449],
  ['replaceItem', 449],
  ['upsertItem', 408],
  ['patchItem', 449],
  ['deleteItem', 503],
  ['deletePartition', 503],
  ['bulk', 408],
  ['queryPlan', 503],
  ['batch', 410],
  ['query', 503],
  ['changeFeed', 449],
  ['readPartitionKeyRanges', 503],
])('%s is refused with %s when told so', async (kind, status) => {
  const fresh = cosmos.client({ connectionPolicy: { retryOptions: { maxRetryAttemptCount: 0 } } });
  const faulty = fresh.database('tests').container(container.id);
  const item = faulty.item('warm', 'A');
  await container.items.upsert({ id: 'warm', pk: 'A' });
  const calls: Record<string, () => Promise<unknown>> = {
    createItem: () => faulty.items.create({ id: 'x', pk: 'A' }),
    readItem: () => item.read(),
    replaceItem: () => item.replace({ id: 'warm', pk: 'A' }),
    upsertItem: () => faulty.items.upsert({ id: 'warm', pk: 'A' }),
    patchItem: () => item.patch([{ op: 'incr', path: '/n', value: 1 }]),
    deleteItem: () => item.delete(),
    deletePartition: () => faulty.deleteAllItemsForPartitionKey('none'),
    bulk: () => faulty.items.bulk([{ operationType: 'Read', partitionKey: 'A', id: 'warm' }]),
    queryPlan: () => faulty.items.query('SELECT TOP 1 * FROM c').fetchAll(),
    batch: () => faulty.items.batch([{ operationType: 'Read', id: 'warm' }], 'A'),
    query: () => faulty.items.query('SELECT * FROM c', { partitionKey: 'A' }).fetchAll(),
    changeFeed: () =>
      faulty.items
        .getChangeFeedIterator({ changeFeedStartFrom: ChangeFeedStartFrom.Beginning('A') })
        .readNext(),
    readPartitionKeyRanges: () => faulty.readPartitionKeyRanges().fetchAll(),
  };
  await faulty.read();
  await cosmos.local('POST', '_local/faults', [{ kind, status, forMs: 60_000 }]);
  const call = calls[kind];
  if (call === undefined) throw new Error(`No call for ${kind}.`);
  const { code, message } = await refusal(call());
  // Of these the SDK passes on the text and drops the status.
  if (kind === 'bulk' || kind === 'batch') expect(message).toContain('A fault that was asked for');
  else expect(code).toBe(status);
  const [fault] = (await cosmos.local('GET', '_local/faults')).body as { met: number }[];
  expect(fault?.met).toBeGreaterThan(0);
});

it('serves queries and change feeds that lag to those who allow them', async () => {
  const lagging = await cosmos.newContainer();
  await lagging.items.create({ id: 'a', pk: 'A', n: 1 });
  await lagging.items.create({ id: 'b', pk: 'A', n: 1 });
  await lagging.item('a', 'A').replace({ id: 'a', pk: 'A', n: 2 });
  const weak = cosmos.client({ consistencyLevel: 'Eventual' }).database('tests').container(lagging.id);
  const numbers = async (from: Container) =>
    (await from.items.query('SELECT VALUE c.n FROM c ORDER BY c.id', { partitionKey: 'A' }).fetchAll())
      .resources;
  const count = async (from: Container) =>
    (await from.items.query('SELECT VALUE COUNT(1) FROM c', { partitionKey: 'A' }).fetchAll()).resources;
  const stale = (kind: string, lag: number) =>
    cosmos.local('POST', '_local/faults', [{ kind, stale: true, lag, forMs: 60_000 }]);
  await stale('query', 1);
  expect(await numbers(weak)).toEqual([1, 1]);
  expect(await numbers(lagging)).toEqual([2, 1]);
  await stale('query', 2);
  expect(await count(weak)).toEqual([1]);
  await stale('changeFeed', 2);
  const feed = weak.items.getChangeFeedIterator<{ id: string }>({
    changeFeedStartFrom: ChangeFeedStartFrom.Beginning('A'),
  });
  const ids = async () => ((await feed.readNext()).result ?? []).map((one) => one.id);
  expect(await ids()).toEqual([]);
  await cosmos.local('POST', '_local/faults', []);
  expect(await ids()).toEqual(['b', 'a']);
  // What a restart has made everybody forget has reached everybody.
  await cosmos.restart();
  await stale('query', 2);
  expect(await numbers(weak)).toEqual([2, 1]);
});

it('refuses faults it does not understand', async () => {
  expect((await cosmos.local('POST', '_local/faults', [{ kind: 'readItem', colour: 1 }])).status).toBe(400);
  expect((await cosmos.local('POST', '_local/faults', [{ kind: 'batch', stale: true }])).status).toBe(400);
  expect((await cosmos.local('POST', '_local/faults', [{ kind: 'raedItem' }])).status).toBe(400);
  expect((await cosmos.local('POST', '_local/faults', {})).status).toBe(400);
  for (const wrong of [{ times: 0 }, { forMs: -1 }, { probability: 2 }, { status: 200 }, { cut: 'now' }]) {
    const { status } = await cosmos.local('POST', '_local/faults', [{ kind: 'readItem', ...wrong }]);
    expect(status, JSON.stringify(wrong)).toBe(400);
  }
  expect((await cosmos.local('POST', '_local/faults', [{ kind: 'setFaults' }])).status).toBe(400);
});
