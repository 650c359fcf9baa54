import type { Container, FeedOptions, SqlQuerySpec } from '@azure/cosmos';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CosmosUnderTest, refusal, startedCosmos } from './startedCosmos.ts';

let cosmos: CosmosUnderTest;
let container: Container;

beforeAll(async () => {
  cosmos = await startedCosmos();
  container = await cosmos.newContainer();
  for (const pk of ['A', 'B', 'C']) {
    await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        container.items.create({
          id: `i${String(n).padStart(2, '0')}`,
          pk,
          n,
          even: n % 2 === 0,
          // Ties, so that paging has to tell equal keys apart.
          quarter: Math.floor(n / 4),
          tags: n % 3 === 0 ? ['three', `t${n}`] : [],
          nested: { text: `text ${n}`, 'odd name': n },
          ...(n === 5 ? { only: null } : {}),
        }),
      ),
    );
  }
});
afterAll(() => cosmos.close());

async function all(
  query: string | SqlQuerySpec,
  options: FeedOptions = { partitionKey: 'A' },
): Promise<unknown[]> {
  return (await container.items.query<unknown>(query, options).fetchAll()).resources;
}

const numbers = (where: string, parameters: SqlQuerySpec['parameters'] = []) =>
  all({ query: `SELECT VALUE c.n FROM c WHERE ${where} ORDER BY c.n`, parameters });

describe('filters within one partition', () => {
  it.each([
    ['c.n > 6', [7, 8, 9]],
    ['c.n >= 3 AND c.n < 5', [3, 4]],
    ['c.n <= 1 OR c.n = 9', [0, 1, 9]],
    ['NOT (c.n < 8)', [8, 9]],
    ['c.n <> 0 AND c.n != 1 AND c.n <= 2', [2]],
    ['c.n IN (1, 3, 77)', [1, 3]],
    ['c.n NOT IN (0,1,2,3,4,5,6)', [7, 8, 9]],
    ['c.n BETWEEN 2 AND 4', [2, 3, 4]],
    ['c.even = true AND c.n > 5', [6, 8]],
    ['STARTSWITH(c.nested.text, "text 7")', [7]],
    ['STARTSWITH(c.nested.text, "TEXT 7", true)', [7]],
    ['startswith(c.id, "i0")', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['ARRAY_CONTAINS(c.tags, "three")', [0, 3, 6, 9]],
    ['IS_DEFINED(c.only)', [5]],
    ['NOT IS_DEFINED(c.only) AND c.n < 2', [0, 1]],
    ['c.only = null', [5]],
    ['c["nested"]["odd name"] = 4', [4]],
    ['c.missing > 1', []],
    ['NOT (c.missing > 1)', []],
    ['c.n = "3"', []],
    ['c.id > "i07"', [8, 9]],
    ['c.id >= "i01" AND c.id < "i03"', [1, 2]],
    ['c.nested = {"text": "text 2", "odd name": 2}', [2]],
    ['CONTAINS(c.nested.text, "t 4")', [4]],
    ['c.n = -1 OR c.n = 1e0', [1]],
  ])('%s', async (where, expected) => {
    expect(await numbers(where)).toEqual(expected);
  });

  it('takes parameters, also as lists', async () => {
    expect(
      await numbers('c.n > @low AND c.pk = @pk', [
        { name: '@low', value: 7 },
        { name: '@pk', value: 'A' },
      ]),
    ).toEqual([8, 9]);
    expect(await numbers('ARRAY_CONTAINS(@ids, c.id)', [{ name: '@ids', value: ['i03', 'i04'] }])).toEqual([
      3, 4,
    ]);
    expect((await refusal(numbers('c.n > @absent'))).message).toContain('@absent');
  });

  it('never shows another partition', async () => {
    expect(await all('SELECT * FROM c', { partitionKey: 'B' })).toHaveLength(10);
    expect(await all('SELECT * FROM c WHERE c.pk = "A"', { partitionKey: 'B' })).toEqual([]);
    expect(await all('SELECT VALUE COUNT(1) FROM c WHERE c.pk = "C" AND c.n > 5', {})).toEqual([4]);
  });
});

describe('selection and order', () => {
  it('projects', async () => {
    expect(await all('SELECT c.id, c.n AS number, c.nested.text FROM c WHERE c.n = 1')).toEqual([
      { id: 'i01', number: 1, text: 'text 1' },
    ]);
    expect(await all('SELECT VALUE { "a": c.n, "b": [c.id, c.missing] } FROM c WHERE c.n = 2')).toEqual([
      { a: 2, b: ['i02'] },
    ]);
    expect(await all('SELECT VALUE x.only FROM x')).toEqual([null]);
    expect(await all('SELECT * FROM root r WHERE r.n = 3')).toMatchObject([
      { id: 'i03', _etag: expect.any(String) },
    ]);
  });

  it('counts', async () => {
    expect(await all('SELECT VALUE COUNT(1) FROM c')).toEqual([10]);
    expect(await all('SELECT VALUE COUNT(1) FROM c WHERE c.even = false')).toEqual([5]);
  });

  it('orders, skips and cuts', async () => {
    expect(await all('SELECT VALUE c.n FROM c ORDER BY c.n DESC')).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect(await all('SELECT TOP 3 VALUE c.n FROM c ORDER BY c.n')).toEqual([0, 1, 2]);
    expect(await all('SELECT VALUE c.n FROM c ORDER BY c.id DESC OFFSET 2 LIMIT 3')).toEqual([7, 6, 5]);
    expect(await all('SELECT VALUE c.id FROM c ORDER BY c.only')).toEqual(['i05']);
  });

  it.each([
    'SELECT VALUE c.id FROM c',
    'SELECT VALUE c.id FROM c WHERE c.n > 1 ORDER BY c.id DESC',
    'SELECT VALUE c.id FROM c ORDER BY c.n',
    'SELECT VALUE c.id FROM c ORDER BY c.quarter DESC',
    'SELECT VALUE c.id FROM c ORDER BY c.even',
    'SELECT TOP 7 VALUE c.id FROM c ORDER BY c.quarter',
    'SELECT VALUE c.id FROM c ORDER BY c.quarter OFFSET 1 LIMIT 8',
  ])('pages without loss or repetition: %s', async (query) => {
    const whole = await all(query);
    const paged: unknown[] = [];
    let continuationToken: string | undefined;
    do {
      const options = {
        partitionKey: 'A',
        maxItemCount: 3,
        ...(continuationToken ? { continuationToken } : {}),
      };
      const page = await container.items.query<unknown>(query, options).fetchNext();
      expect(page.resources.length).toBeLessThanOrEqual(3);
      paged.push(...page.resources);
      continuationToken = page.continuationToken;
    } while (continuationToken);
    expect(paged).toEqual(whole);
    expect(new Set(paged).size).toBe(paged.length);
  });

  it('goes on behind the last key when items come in between pages', async () => {
    const one = await cosmos.newContainer();
    for (const n of [1, 2, 3, 4]) await one.items.create({ id: String(n), pk: 'A', n: n * 10 });
    const query = 'SELECT VALUE c.n FROM c ORDER BY c.n';
    const first = await one.items.query(query, { partitionKey: 'A', maxItemCount: 2 }).fetchNext();
    await one.items.create({ id: '0', pk: 'A', n: 5 });
    await one.items.create({ id: '5', pk: 'A', n: 25 });
    await one.item('2', 'A').delete();
    const options = { partitionKey: 'A', continuationToken: first.continuationToken };
    expect((await one.items.query(query, options).fetchAll()).resources).toEqual([25, 30, 40]);
  });

  it('sorts strings by code points', async () => {
    const one = await cosmos.newContainer();
    const texts = ['z', '\uffee', '😀', 'Ä', 'a'];
    for (const [n, text] of texts.entries()) await one.items.create({ id: `${n}`, pk: 'A', text });
    const { resources } = await one.items
      .query('SELECT VALUE c.text FROM c ORDER BY c.text', { partitionKey: 'A' })
      .fetchAll();
    expect(resources).toEqual(['a', 'z', 'Ä', '\uffee', '😀']);
  });
});

describe('several partitions', () => {
  it('goes on from a token in another iterator, while items come in', async () => {
    const one = await cosmos.newContainer();
    for (let n = 0; n < 20; n += 1) await one.items.create({ id: `i${n}`, pk: `P${n % 6}` });
    const seen: string[] = [];
    let continuationToken: string | undefined;
    do {
      const options = { maxItemCount: 3, ...(continuationToken ? { continuationToken } : {}) };
      const page = await one.items.query<string>('SELECT VALUE c.id FROM c', options).fetchNext();
      seen.push(...page.resources);
      continuationToken = page.continuationToken;
      if (seen.length === 6) await one.items.create({ id: 'late', pk: 'P9' });
    } while (continuationToken);
    expect(new Set(seen).size).toBe(21);
    expect(seen).toHaveLength(21);
  });

  it('filters over all of them, page by page', async () => {
    const found: unknown[] = [];
    const iterator = container.items.query('SELECT c.pk, c.n FROM c WHERE c.n < 3', { maxItemCount: 2 });
    while (iterator.hasMoreResults()) found.push(...((await iterator.fetchNext()).resources ?? []));
    expect(found).toHaveLength(9);
    expect(await all('SELECT * FROM c', {})).toHaveLength(30);
    expect((await container.items.readAll().fetchAll()).resources).toHaveLength(30);
    expect(await all('SELECT VALUE c.n FROM c WHERE c.n < 3', { forceQueryPlan: true })).toHaveLength(9);
  });
});

describe('refusals', () => {
  it.each([
    ['SELECT * FROM c WHERE udf.mine(c.n) = 2', 'user-defined function'],
    ['SELECT * FROM c WHERE ST_DISTANCE(c.a, c.b) > 1', 'ST_DISTANCE'],
    ['SELECT * FROM c ORDER BY LOWER(c.id)', 'anything but a property'],
    ['SELECT c.n, COUNT(1) FROM c GROUP BY c.n ORDER BY c.n', 'ORDER BY with GROUP BY'],
    ['SELECT * FROM c WHERE COUNT(1) > 1', 'Aggregates'],
    ['SELECT c.id, COUNT(1) FROM c GROUP BY c.n', 'GROUP BY clause'],
    ['SELECT c.id, COUNT(1) AS many FROM c', 'aggregate function'],
    ['SELECT * FROM c GROUP BY c.n', 'not valid with GROUP BY'],
    ['SELECT VALUE SUM(COUNT(1)) FROM c', 'in another one'],
    ['SELECT * FROM c JOIN t IN c.tags', 'single input set'],
    ['SELECT 1', 'names no container'],
    ['SELECT * FROM c WHERE d.n = 1', "near 'd'"],
    ['SELECT * FRM c', 'FRM'],
    ['SELECT * FROM c WHERE', 'end of query'],
  ])('%s', async (query, reason) => {
    const { code, message } = await refusal(all(query));
    expect(code).toBe(400);
    expect(message).toContain(reason);
  });

  it('knows no foreign continuation and no missing container', async () => {
    const options = { partitionKey: 'A', continuationToken: 'bm9uc2Vuc2U=' };
    expect((await refusal(all('SELECT * FROM c', options))).code).toBe(400);
    const missing = cosmos.client().database('tests').container('missing');
    expect(
      (await refusal(missing.items.query('SELECT * FROM c', { partitionKey: 'A' }).fetchAll())).code,
    ).toBe(404);
  });
});
