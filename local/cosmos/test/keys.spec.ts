import { ChangeFeedStartFrom, type Container, PartitionKeyKind } from '@azure/cosmos';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CosmosUnderTest, refusal, startedCosmos } from './startedCosmos.ts';

let cosmos: CosmosUnderTest;
beforeAll(async () => {
  cosmos = await startedCosmos();
});
afterAll(() => cosmos.close());

describe('hierarchical partition keys', () => {
  let container: Container;
  beforeAll(async () => {
    container = await cosmos.newContainer({
      partitionKey: { paths: ['/tenant', '/user', '/day'], kind: PartitionKeyKind.MultiHash, version: 2 },
    });
    for (const tenant of ['t1', 't2', 't3'])
      for (const user of ['u1', 'u2', 'u3', 'u4'])
        await Promise.all(
          [1, 2].map((day) => container.items.create({ id: 'same', tenant, user, day, n: day })),
        );
  });
  const all = async (query: string, partitionKey: (string | number)[]) =>
    (await container.items.query<unknown>(query, { partitionKey }).fetchAll()).resources;

  it('keeps items of equal ids under whole keys apart', async () => {
    expect((await container.item('same', ['t1', 'u1', 1]).read()).statusCode).toBe(200);
    expect((await container.item('same', ['t1', 'u9', 1]).read()).statusCode).toBe(404);
    await container
      .item('same', ['t3', 'u4', 2])
      .replace({ id: 'same', tenant: 't3', user: 'u4', day: 2, n: 9 });
    expect((await container.item('same', ['t3', 'u4', 1]).read<{ n: number }>()).resource?.n).toBe(1);
    const wrong = container.items.create({ id: 'same', tenant: 't1', user: 'u1', day: 1 });
    expect((await refusal(wrong)).code).toBe(409);
    const batch = await container.items.batch([{ operationType: 'Read', id: 'same' }], ['t2', 'u1', 1]);
    expect(batch.result?.[0]?.statusCode).toBe(200);
  });

  it('knows items that lack components', async () => {
    await container.items.create({ id: 'partial', tenant: 't9', user: 'u1' });
    const { resources } = await container.items
      .query<{ id: string }>('SELECT c.id FROM c WHERE c.tenant = "t9"')
      .fetchAll();
    expect(resources).toEqual([{ id: 'partial' }]);
  });

  it('queries by the whole key and by its first components', async () => {
    expect(await all('SELECT * FROM c', ['t1', 'u1', 1])).toHaveLength(1);
    expect(await all('SELECT * FROM c', ['t1', 'u1'])).toHaveLength(2);
    expect(await all('SELECT * FROM c', ['t1'])).toHaveLength(8);
    expect(await all('SELECT VALUE c.user FROM c ORDER BY c.user DESC', ['t2'])).toEqual([
      ...['u4', 'u4', 'u3', 'u3', 'u2', 'u2', 'u1', 'u1'],
    ]);
    expect(await all('SELECT VALUE COUNT(1) FROM c', ['t2'])).toEqual([8]);
    expect(await all('SELECT DISTINCT VALUE c.user FROM c', ['t1', 'u2'])).toEqual(['u2']);
  });

  it('reads the change feed of a prefix, also after a split', async () => {
    await cosmos.local('POST', '_local/split', { database: 'tests', container: container.id });
    const reader = cosmos.client().database('tests').container(container.id);
    const iterator = reader.items.getChangeFeedIterator<{ tenant: string }>({
      changeFeedStartFrom: ChangeFeedStartFrom.Beginning(['t1']),
    });
    const tenants: string[] = [];
    for (let page = 0; page < 12; page += 1) {
      const { statusCode, result } = await iterator.readNext();
      if (statusCode !== 304) tenants.push(...result.map((one) => one.tenant));
    }
    expect(tenants).toEqual(Array.from({ length: 8 }, () => 't1'));
    expect(await all('SELECT * FROM c', ['t1'])).toHaveLength(8);
  });

  it('has at most three paths, which stay', async () => {
    const paths = ['/a', '/b', '/c', '/d'];
    const partitionKey = { paths, kind: PartitionKeyKind.MultiHash, version: 2 };
    expect((await refusal(cosmos.newContainer({ partitionKey }))).code).toBe(400);
    const changed = { ...partitionKey, paths: ['/tenant', '/user'] };
    expect((await refusal(container.replace({ id: container.id, partitionKey: changed }))).message).toContain(
      'cannot be changed',
    );
  });
});

describe('unique keys', () => {
  let container: Container;
  beforeAll(async () => {
    container = await cosmos.newContainer({
      defaultTtl: -1,
      uniqueKeyPolicy: { uniqueKeys: [{ paths: ['/mail'] }, { paths: ['/first', '/name/last'] }] },
    });
  });
  const person = (id: string, first: string, last: string, more: object = {}) =>
    container.items.create({ id, pk: 'A', mail: id, first, name: { last }, ...more });

  it('holds each set of values once within a partition key', async () => {
    await person('1', 'Ada', 'L');
    await person('2', 'Ada', 'M');
    const taken = await refusal(person('3', 'Ada', 'L'));
    expect(taken.code).toBe(409);
    expect(taken.message).toContain('Unique index constraint');
    expect((await refusal(person('4', 'Bob', 'B', { mail: '1' }))).code).toBe(409);
    const elsewhere = await container.items.create({
      id: '1',
      pk: 'B',
      mail: '1',
      first: 'Ada',
      name: { last: 'L' },
    });
    expect(elsewhere.statusCode).toBe(201);
  });

  it('checks replaces, upserts and patches, and frees what is given up', async () => {
    await person('5', 'Eva', 'E');
    await person('6', 'Eve', 'E');
    const asEva = { id: '6', pk: 'A', mail: '6', first: 'Eva', name: { last: 'E' } };
    expect((await refusal(container.item('6', 'A').replace(asEva))).code).toBe(409);
    expect((await refusal(container.items.upsert(asEva))).code).toBe(409);
    const rename = container.item('6', 'A').patch([{ op: 'set', path: '/first', value: 'Eva' }]);
    expect((await refusal(rename)).code).toBe(409);
    await container
      .item('5', 'A')
      .replace({ id: '5', pk: 'A', mail: '5', first: 'Eva', name: { last: 'F' } });
    expect((await container.item('6', 'A').replace(asEva)).statusCode).toBe(200);
    await container.item('5', 'A').delete();
    expect((await person('5', 'Eva', 'F')).statusCode).toBe(201);
  });

  it('undoes a whole transaction, and lets one item be without the values', async () => {
    const operations = ['8', '9'].map((id) => ({
      operationType: 'Create' as const,
      resourceBody: { id, pk: 'C', mail: 'same' },
    }));
    const batch = await container.items.batch(operations, 'C');
    expect(batch.result?.map((one) => one.statusCode)).toEqual([424, 409]);
    expect((await container.items.create({ id: '8', pk: 'C', mail: 'x' })).statusCode).toBe(201);
    expect((await refusal(container.items.create({ id: '9', pk: 'C', mail: 'y' }))).code).toBe(409);
  });

  it('cannot be changed later', async () => {
    const changed = container.replace({
      id: container.id,
      partitionKey: { paths: ['/pk'] },
      uniqueKeyPolicy: { uniqueKeys: [{ paths: ['/mail'] }] },
    });
    expect((await refusal(changed)).message).toContain('uniqueKeyPolicy');
  });
});
