import { BulkOperationType, type Container } from '@azure/cosmos';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CosmosUnderTest, refusal, startedCosmos } from './startedCosmos.ts';

let cosmos: CosmosUnderTest;
let container: Container;
beforeAll(async () => {
  cosmos = await startedCosmos();
  container = await cosmos.newContainer();
});
afterAll(() => cosmos.close());

describe('databases and containers', () => {
  it('creates, lists, reads and deletes them', async () => {
    const client = cosmos.client();
    const { database } = await client.databases.create({ id: 'short-lived' });
    expect((await refusal(client.databases.create({ id: 'short-lived' }))).code).toBe(409);
    await database.containers.create({ id: 'one', partitionKey: '/pk' });
    const again = await database.containers.createIfNotExists({ id: 'one', partitionKey: '/pk' });
    expect(again.statusCode).toBe(200);
    expect((await refusal(database.containers.create({ id: 'one', partitionKey: '/pk' }))).code).toBe(409);
    const { resources } = await database.containers.readAll().fetchAll();
    expect(resources.map((one) => one.id)).toEqual(['one']);
    await database.container('one').items.create({ id: 'a', pk: 'A' });
    await database.container('one').delete();
    expect((await refusal(database.container('one').items.create({ id: 'a', pk: 'A' }))).code).toBe(404);
    await database.delete();
    expect((await refusal(database.read())).code).toBe(404);
  });

  it('lets one of many parallel creates win', async () => {
    const { database } = await cosmos.client().databases.create({ id: 'contested' });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, () => database.containers.create({ id: 'c', partitionKey: '/pk' })),
    );
    expect(outcomes.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
    expect((await refusal(database.containers.create({ id: 'c', partitionKey: '/pk' }))).code).toBe(409);
  });

  it('starts a re-created container empty', async () => {
    const { database } = await cosmos.client().databases.createIfNotExists({ id: 'reborn' });
    for (let round = 0; round < 2; round += 1) {
      const { container: one } = await database.containers.create({ id: 'c', partitionKey: '/pk' });
      expect((await one.item('a', 'A').read()).statusCode).toBe(404);
      await one.items.create({ id: 'a', pk: 'A' });
      await one.delete();
    }
  });

  it('refuses what it does not imitate by name', async () => {
    const database = cosmos.client().database('tests');
    const computed = database.containers.create({
      id: 'c',
      partitionKey: '/pk',
      computedProperties: [{ name: 'x', query: 'SELECT VALUE c.y FROM c' }],
    });
    expect((await refusal(computed)).message).toContain("'computedProperties' is not supported");
    const sproc = container.scripts.storedProcedures.create({ id: 's', body: 'function(){}' });
    expect((await refusal(sproc)).code).toBe(400);
  });

  it('says it gives bounded staleness', async () => {
    const { resource } = await cosmos.client().getDatabaseAccount();
    expect(resource?.consistencyPolicy).toBe('BoundedStaleness');
    const strong = cosmos.client({ consistencyLevel: 'Strong' });
    const read = strong.database('tests').container(container.id).item('x', 'A').read();
    expect((await refusal(read)).message).toContain('ConsistencyLevel Strong');
  });
});

describe('items', () => {
  it('creates with system properties and reads the same', async () => {
    const created = await container.items.create({
      id: 'first',
      pk: 'A',
      n: 1,
      nested: { list: [1, 'zwei', null] },
    });
    expect(created.statusCode).toBe(201);
    expect(created.resource).toMatchObject({ _rid: expect.any(String), _ts: expect.any(Number) });
    expect(created.etag).toBe(created.resource?._etag);
    const read = await container.item('first', 'A').read();
    expect(read.statusCode).toBe(200);
    expect(read.resource).toEqual(created.resource);
    expect((await container.item('first', 'B').read()).statusCode).toBe(404);
    expect((await container.item('missing', 'A').read()).statusCode).toBe(404);
  });

  it('keeps ids apart by partition key and by the type of the key', async () => {
    const keys = ['1', 1, true, 'true', null, 'null', 'ключ', 'A:/id:x', ''];
    for (const pk of keys) await container.items.create({ id: 'typed', pk });
    expect((await refusal(container.items.create({ id: 'typed', pk: 1 }))).code).toBe(409);
    for (const pk of keys) {
      const { resource } = await container.item('typed', pk).read<{ pk: unknown }>();
      expect(resource?.pk).toBe(pk);
    }
    await container.items.create({ id: 'typed' });
    expect((await container.item('typed', undefined).read()).statusCode).toBe(200);
  });

  it('takes ids with blanks, signs and letters of any script', async () => {
    for (const id of ['a b', 'a|b', 'a:b', '100%', 'é漢字😀', "quo'te", '+&=']) {
      await container.items.create({ id, pk: 'ids' });
      expect((await container.item(id, 'ids').read()).resource?.id).toBe(id);
    }
  });

  it('refuses ids the service refuses', async () => {
    const create = async (id: unknown) => {
      const options = { disableAutomaticIdGeneration: true };
      return (await refusal(container.items.create({ id, pk: 'A' } as { id: string }, options))).code;
    };
    for (const id of ['', 'a/b', 'a\\b', 'a?b', 'a#b', 'x'.repeat(1024), 'ends ', undefined, 7]) {
      expect([id, await create(id)]).not.toEqual([id, 409]);
    }
  });

  it('refuses an item of another partition key than the header’s', async () => {
    const body = [{ operationType: 'Create', resourceBody: { id: 'stray', pk: 'B' } }];
    const answer = await container.items.batch(body as never, 'A');
    expect(answer.code).toBe(207);
    expect(answer.result?.[0]).toMatchObject({ statusCode: 400, subStatusCode: 1001 });
    expect((await container.item('stray', 'B').read()).statusCode).toBe(404);
  });

  it('answers 304 to a read with the current etag', async () => {
    const { resource } = await container.items.create({ id: 'cached', pk: 'A' });
    const read = (etag: string) =>
      container.item('cached', 'A').read({ accessCondition: { type: 'IfNoneMatch', condition: etag } });
    const unchanged = await read(resource?._etag ?? '');
    expect(unchanged.statusCode).toBe(304);
    expect(unchanged.resource).toBeFalsy();
    expect((await read('"other"')).statusCode).toBe(200);
  });

  it('replaces, upserts and deletes under If-Match', async () => {
    const item = container.item('guarded', 'A');
    const first = await container.items.create({ id: 'guarded', pk: 'A', n: 1 });
    const when = (condition: string | undefined) => ({
      accessCondition: { type: 'IfMatch', condition: condition ?? '' },
    });
    const second = await item.replace({ id: 'guarded', pk: 'A', n: 2 }, when(first.etag));
    expect(second.statusCode).toBe(200);
    expect(second.etag).not.toBe(first.etag);
    expect((await refusal(item.replace({ id: 'guarded', pk: 'A', n: 3 }, when(first.etag)))).code).toBe(412);
    expect((await refusal(container.items.upsert({ id: 'guarded', pk: 'A' }, when(first.etag)))).code).toBe(
      412,
    );
    expect((await refusal(item.delete(when(first.etag)))).code).toBe(412);
    expect((await item.read()).resource).toMatchObject({ n: 2 });
    expect((await item.delete(when(second.etag))).statusCode).toBe(204);
    expect((await refusal(item.delete())).code).toBe(404);
    expect((await refusal(item.replace({ id: 'guarded', pk: 'A' }))).code).toBe(404);
  });

  it('tells an upsert that creates from one that replaces', async () => {
    expect((await container.items.upsert({ id: 'u', pk: 'A' })).statusCode).toBe(201);
    expect((await container.items.upsert({ id: 'u', pk: 'A' })).statusCode).toBe(200);
  });

  it('refuses a create over an existing item, conditional or not', async () => {
    await container.items.create({ id: 'taken', pk: 'A' });
    const options = { accessCondition: { type: 'IfNoneMatch', condition: '*' } };
    expect((await refusal(container.items.create({ id: 'taken', pk: 'A' }, options))).code).toBe(409);
  });

  it('takes 2 MB less its own properties and refuses more with 413', async () => {
    const big = (size: number) =>
      container.items.create({ id: `big-${size}`, pk: 'A', text: 'x'.repeat(size) });
    expect((await big(2 * 1024 * 1024 - 1024)).statusCode).toBe(201);
    expect((await refusal(big(2 * 1024 * 1024))).code).toBe(413);
    expect((await refusal(big(5 * 1024 * 1024))).code).toBe(413);
  });

  it('lets one of 50 parallel creates and one of 50 parallel replaces win', async () => {
    const codes = async (promises: Promise<{ statusCode: number }>[]) => {
      const outcomes = await Promise.allSettled(promises);
      const seen = outcomes.map((one) =>
        one.status === 'fulfilled' ? one.value.statusCode : (one.reason as { code: number }).code,
      );
      return Object.fromEntries(
        [...new Set(seen)].map((code) => [code, seen.filter((one) => one === code).length]),
      );
    };
    const many = Array.from({ length: 50 }, (_, index) => index);
    const creates = many.map((n) => container.items.create({ id: 'race', pk: 'A', n }));
    expect(await codes(creates)).toEqual({ 201: 1, 409: 49 });
    const { etag } = await container.item('race', 'A').read();
    const accessCondition = { type: 'IfMatch', condition: etag };
    const replaces = many.map((n) =>
      container.item('race', 'A').replace({ id: 'race', pk: 'A', n }, { accessCondition }),
    );
    expect(await codes(replaces)).toEqual({ 200: 1, 412: 49 });
  });

  it('gives a session token and a charge for every request', async () => {
    const created = await container.items.create({ id: 'charged', pk: 'A', text: 'x'.repeat(1500) });
    expect(created.requestCharge).toBe(10.5);
    expect(created.headers['x-ms-session-token']).toMatch(/^\d:-1#\d+$/);
    const strong = await container.item('charged', 'A').read();
    expect(strong.requestCharge).toBe(4);
    const weak = await cosmos
      .client({ consistencyLevel: 'Session' })
      .database('tests')
      .container(container.id)
      .item('charged', 'A')
      .read();
    expect(weak.requestCharge).toBe(2);
  });
});

it('sends no content back to a batch that wants none', async () => {
  const answer = await container.items.batch(
    [
      { operationType: BulkOperationType.Upsert, resourceBody: { id: 'quiet', pk: 'A' } },
      { operationType: BulkOperationType.Read, id: 'quiet' },
    ],
    'A',
    { contentResponseOnWriteEnabled: false },
  );
  expect(answer.result?.map((one) => one.resourceBody?.id)).toEqual([undefined, 'quiet']);
});

describe('time to live', () => {
  const untilGone = async (one: Container, id: string) => {
    const deadline = Date.now() + 5000;
    while (Date.now() < deadline) {
      if ((await one.item(id, 'A').read()).statusCode === 404) return true;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return false;
  };

  it('ends items by their own and by the container’s time, and lets the id be used again', async () => {
    const one = await cosmos.newContainer({ defaultTtl: 2 });
    await one.items.create({ id: 'default', pk: 'A' });
    await one.items.create({ id: 'for-ever', pk: 'A', ttl: -1 });
    await one.items.create({ id: 'later', pk: 'A', ttl: 1000 });
    expect((await one.item('default', 'A').read()).statusCode).toBe(200);
    expect(await untilGone(one, 'default')).toBe(true);
    const { resources } = await one.items.query('SELECT VALUE c.id FROM c', { partitionKey: 'A' }).fetchAll();
    expect(resources).toEqual(['for-ever', 'later']);
    expect((await one.items.create({ id: 'default', pk: 'A' })).statusCode).toBe(201);
  });

  it('heeds an item’s time only where the container has a default', async () => {
    const on = await cosmos.newContainer({ defaultTtl: -1 });
    const off = await cosmos.newContainer();
    await off.items.create({ id: 'short', pk: 'A', ttl: 1 });
    await on.items.create({ id: 'short', pk: 'A', ttl: 1 });
    expect(await untilGone(on, 'short')).toBe(true);
    expect((await off.item('short', 'A').read()).statusCode).toBe(200);
    expect((await refusal(on.items.create({ id: 'bad', pk: 'A', ttl: 0 }))).code).toBe(400);
  });
});

describe('transactional batch', () => {
  it('does all under one change number', async () => {
    await container.items.create({ id: 'head', pk: 'S', version: 0 });
    const { etag } = await container.item('head', 'S').read();
    const answer = await container.items.batch(
      [
        { operationType: BulkOperationType.Create, resourceBody: { id: 'e1', pk: 'S' } },
        { operationType: BulkOperationType.Upsert, resourceBody: { id: 'e2', pk: 'S' } },
        {
          operationType: BulkOperationType.Replace,
          id: 'head',
          resourceBody: { id: 'head', pk: 'S', version: 1 },
          ifMatch: etag,
        },
        { operationType: BulkOperationType.Read, id: 'e1' },
        { operationType: BulkOperationType.Delete, id: 'e2' },
      ],
      'S',
    );
    expect(answer.code).toBe(200);
    expect(answer.result?.map((one) => one.statusCode)).toEqual([201, 201, 200, 200, 204]);
    expect(answer.result?.[3]?.resourceBody).toMatchObject({ id: 'e1' });
    expect((await container.item('e2', 'S').read()).statusCode).toBe(404);
  });

  it('does nothing when one fails, and says which with 207', async () => {
    const { etag } = await container.item('head', 'S').read();
    const answer = await container.items.batch(
      [
        { operationType: BulkOperationType.Create, resourceBody: { id: 'e9', pk: 'S' } },
        {
          operationType: BulkOperationType.Replace,
          id: 'head',
          resourceBody: { id: 'head', pk: 'S', version: 9 },
          ifMatch: etag,
        },
        { operationType: BulkOperationType.Create, resourceBody: { id: 'e1', pk: 'S' } },
        { operationType: BulkOperationType.Create, resourceBody: { id: 'e10', pk: 'S' } },
      ],
      'S',
    );
    expect(answer.code).toBe(207);
    expect(answer.result?.map((one) => one.statusCode)).toEqual([424, 424, 409, 424]);
    expect((await container.item('e9', 'S').read()).statusCode).toBe(404);
    expect((await container.item('head', 'S').read()).etag).toBe(etag);
  });

  it('gives 412 for a stale head', async () => {
    const answer = await container.items.batch(
      [
        { operationType: BulkOperationType.Create, resourceBody: { id: 'e9', pk: 'S' } },
        {
          operationType: BulkOperationType.Replace,
          id: 'head',
          resourceBody: { id: 'head', pk: 'S' },
          ifMatch: '"stale"',
        },
      ],
      'S',
    );
    expect(answer.result?.map((one) => one.statusCode)).toEqual([424, 412]);
  });

  it('lets one of many parallel appends win', async () => {
    await container.items.create({ id: 'head', pk: 'R', version: 0 });
    const { etag } = await container.item('head', 'R').read();
    const append = (n: number) =>
      container.items.batch(
        [
          { operationType: BulkOperationType.Create, resourceBody: { id: '1', pk: 'R', n } },
          {
            operationType: BulkOperationType.Replace,
            id: 'head',
            resourceBody: { id: 'head', pk: 'R', version: 1 },
            ifMatch: etag,
          },
        ],
        'R',
      );
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => append(n)));
    expect(answers.filter((one) => one.code === 200)).toHaveLength(1);
    expect(answers.filter((one) => one.code === 207)).toHaveLength(19);
  });

  it('takes 100 operations, and at most 2 MB', async () => {
    const creates = (count: number, text = '') =>
      Array.from({ length: count }, (_, n) => ({
        operationType: BulkOperationType.Create,
        resourceBody: { id: `n${n}`, pk: `P${count}${text.length}`, text },
      }));
    expect((await container.items.batch(creates(100), 'P1000')).code).toBe(200);
    expect((await refusal(container.items.batch(creates(101), 'P1010'))).message).toMatch(/operations|100/);
    const large = container.items.batch(creates(3, 'x'.repeat(800_000)), 'P3800000');
    expect((await refusal(large)).message).toContain('too large');
  });
});
