import type { Container } from '@azure/cosmos';
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

it('refuses faults it does not understand', async () => {
  expect((await cosmos.local('POST', '_local/faults', [{ kind: 'readItem', colour: 1 }])).status).toBe(400);
  expect((await cosmos.local('POST', '_local/faults', [{ kind: 'query', stale: true }])).status).toBe(400);
  expect((await cosmos.local('POST', '_local/faults', [{ kind: 'raedItem' }])).status).toBe(400);
  expect((await cosmos.local('POST', '_local/faults', {})).status).toBe(400);
});
