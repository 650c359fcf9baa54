import { type Container, type JSONObject, type OperationInput } from '@azure/cosmos';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CosmosUnderTest, startedCosmos } from './startedCosmos.ts';

let cosmos: CosmosUnderTest;
let container: Container;
beforeAll(async () => {
  cosmos = await startedCosmos();
  container = await cosmos.newContainer();
});
afterAll(() => cosmos.close());

const creates = (prefix: string, count: number): OperationInput[] =>
  Array.from({ length: count }, (_, n) => ({
    operationType: 'Create',
    partitionKey: `P${n % 20}`,
    resourceBody: { id: `${prefix}-${n}`, pk: `P${n % 20}`, n } as JSONObject,
  }));

it('does every kind of operation over all partitions, each for itself', async () => {
  const done = await container.items.executeBulkOperations(creates('bulk', 150));
  expect(done.map((one) => one.response?.statusCode)).toEqual(Array.from({ length: 150 }, () => 201));
  const mixed = await container.items.executeBulkOperations([
    { operationType: 'Create', partitionKey: 'P0', resourceBody: { id: 'bulk-0', pk: 'P0' } },
    { operationType: 'Read', partitionKey: 'P1', id: 'bulk-1' },
    { operationType: 'Upsert', partitionKey: 'P2', resourceBody: { id: 'bulk-2', pk: 'P2', n: 22 } },
    {
      operationType: 'Patch',
      partitionKey: 'P3',
      id: 'bulk-3',
      resourceBody: { operations: [{ op: 'incr', path: '/n', value: 10 }] },
    },
    { operationType: 'Delete', partitionKey: 'P4', id: 'bulk-4' },
    { operationType: 'Replace', partitionKey: 'P5', id: 'none', resourceBody: { id: 'none', pk: 'P5' } },
  ]);
  expect(mixed.map((one) => one.response?.statusCode ?? one.error?.code)).toEqual([
    409, 200, 200, 200, 204, 404,
  ]);
  expect((await container.item('bulk-3', 'P3').read<{ n: number }>()).resource?.n).toBe(13);
});

it('sorts the operations anew after a split', async () => {
  await container.items.executeBulkOperations(creates('before', 20));
  await cosmos.local('POST', '_local/split', { database: 'tests', container: container.id });
  const done = await container.items.executeBulkOperations(creates('after', 60));
  expect(done.map((one) => one.response?.statusCode)).toEqual(Array.from({ length: 60 }, () => 201));
  const count = 'SELECT VALUE COUNT(1) FROM c WHERE STARTSWITH(c.id, "after")';
  expect((await container.items.query<number>(count).fetchAll()).resources).toEqual([60]);
});

it('goes on after a failure, or stops when told to', async () => {
  const operations = (id: string): OperationInput[] => [
    ...['one', 'one', 'two'].map((name) => ({
      operationType: 'Create' as const,
      partitionKey: 'X',
      resourceBody: { id: `${id}-${name}`, pk: 'X' },
    })),
  ];
  const statuses = async (id: string, continueOnError: boolean) =>
    (await container.items.bulk(operations(id), { continueOnError })).map((one) => one.statusCode);
  expect(await statuses('on', true)).toEqual([201, 409, 201]);
  expect(await statuses('stop', false)).toEqual([201, 409, 424]);
});

it('deletes all items of a partition key', async () => {
  await container.items.bulk(creates('doomed', 40));
  await container.deleteAllItemsForPartitionKey('P7');
  const left = await container.items.query('SELECT * FROM c', { partitionKey: 'P7' }).fetchAll();
  expect(left.resources).toEqual([]);
  expect((await container.item('doomed-8', 'P8').read()).statusCode).toBe(200);
});
