import type { Container } from '@azure/cosmos';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CosmosUnderTest, refusal, startedCosmos } from './startedCosmos.ts';

let cosmos: CosmosUnderTest;
let container: Container;

beforeAll(async () => {
  cosmos = await startedCosmos();
  container = await cosmos.newContainer();
  await container.items.create({
    ...{ id: 'one', pk: 'A', n: 7, text: 'Grüße %_[x]', flag: true, nothing: null },
    list: [3, 'a', { k: 1, more: 2 }, null],
    people: [
      { name: 'Ada', pets: ['cat', 'dog'], age: 36 },
      { name: 'Bob', pets: [], age: 20 },
      { name: 'Cy', pets: ['cat'] },
    ],
    object: { a: 1, b: 'two' },
    when: '2024-02-29T12:30:45.1230000Z',
  });
});
afterAll(() => cosmos.close());

const all = async (query: string, parameters: { name: string; value: string | number | string[] }[] = []) =>
  (await container.items.query<unknown>({ query, parameters }, { partitionKey: 'A' }).fetchAll()).resources;

/** The value of an expression; undefined when there is none. */
const valueOf = async (expression: string) => (await all(`SELECT VALUE ${expression} FROM c`))[0];

describe('expressions', () => {
  it.each([
    ['1 + 2 * 3 - 8 / 4 % 3', 5],
    ['(1 + 2) * -c.n', -21],
    ['6 & 3 | 8', 10],
    ['5 ^ 1', 4],
    ['1 << 4 >> 2', 4],
    ['~5', -6],
    ['1 / 0', undefined],
    ['c.n + "1"', undefined],
    ['"a" || "b" || c.object.b', 'abtwo'],
    ['c.missing ?? c.nothing ?? 1', null],
    ['c.missing ?? "other"', 'other'],
    ['c.n > 5 ? "big" : "small"', 'big'],
    ['c.missing ? 1 : 2', 2],
    ['c.list[2].k', 1],
    ['c["people"][0]["name"]', 'Ada'],
    ['c.object[c.list[1]]', 1],
    ['{ "x": c.missing, y: [c.missing, c.n, undefined], "z": null }', { y: [7], z: null }],
    ['c.text LIKE "Gr%"', true],
    ['c.text LIKE "gr%"', false],
    ['c.text LIKE "Gr_ße%"', true],
    ['c.text LIKE "%!%!_[[]x]" ESCAPE "!"', true],
    ['c.text NOT LIKE "%[a-d]%"', true],
    ['c.n LIKE "7"', undefined],
    ['c.missing = 1', undefined],
    ['NOT c.missing', undefined],
    ['c.missing = 1 OR true', true],
    ['c.missing = 1 AND false', false],
    ['c.missing = 1 AND true', undefined],
    ['c.nothing = null', true],
    ['c.n = null', false],
    ['c.nothing < 1', undefined],
    ['c.list = [3, "a", {"more": 2, "k": 1}, null]', true],
    ['c.object IN ({"b": "two", "a": 1}, 5)', true],
    ['undefined', undefined],
    ['IS_DEFINED(undefined)', false],
  ])('%s', async (expression, expected) => {
    expect(await valueOf(expression)).toEqual(expected);
  });
});

describe('functions', () => {
  it.each([
    ['IS_INTEGER(c.n)', true],
    ['IS_PRIMITIVE(c.list)', false],
    ['IS_NULL(c.nothing)', true],
    ['IIF(c.flag, 1, 2)', 1],
    ['CONCAT(UPPER("a"), LOWER("B"), LEFT("xyz", 1), RIGHT("xyz", 2))', 'Abxyz'],
    ['CONCAT("a", c.n)', undefined],
    ['SUBSTRING("abcdef", 2, 3)', 'cde'],
    ['INDEX_OF("abcab", "ab", 1)', 3],
    ['REPLACE("a.b.c", ".", "$&")', 'a$&b$&c'],
    ['REVERSE(TRIM("  ab "))', 'ba'],
    ['REPLICATE("ab", 2)', 'abab'],
    ['RegexMatch("abcd", "^ABC", "i")', true],
    ['StringEquals("A", "a", true)', true],
    ['ToString(c.object)', '{"a":1,"b":"two"}'],
    ['StringToNumber("1.5e1")', 15],
    ['StringToNumber("x")', undefined],
    ['StringToArray("[1,2]")', [1, 2]],
    ['StringToBoolean("true")', true],
    ['StringSplit("a-b", "-")', ['a', 'b']],
    ['ABS(-2) + CEILING(1.2) + FLOOR(-1.2) + SQRT(9) + POWER(2, 3) + SIGN(-3)', 12],
    ['ROUND(-2.5)', -3],
    ['ROUND(2.345, 2)', 2.35],
    ['LOG(8, 2)', 3],
    ['TRUNC(-1.7)', -1],
    ['ABS("x")', undefined],
    ['ARRAY_LENGTH(c.list)', 4],
    ['ARRAY_CONTAINS(c.list, {"k": 1})', false],
    ['ARRAY_CONTAINS(c.list, {"k": 1}, true)', true],
    ['ARRAY_CONTAINS_ANY(c.list, 9, "a")', true],
    ['ARRAY_CONTAINS_ALL(c.list, 9, "a")', false],
    ['ARRAY_SLICE(c.list, -3, 1)', ['a']],
    ['ARRAY_CONCAT([1], [2, 3])', [1, 2, 3]],
    ['SetIntersect([1, 2, 2], [2, 3])', [2]],
    ['SetUnion([1, 2], [2, 3])', [1, 2, 3]],
    ['SetDifference([1, 2], [2])', [1]],
    [
      'ObjectToArray(c.object)',
      [
        { k: 'a', v: 1 },
        { k: 'b', v: 'two' },
      ],
    ],
    ['DateTimeAdd("mm", 1, "2024-01-31T00:00:00Z")', '2024-02-29T00:00:00.0000000Z'],
    ['DateTimeDiff("day", "2024-02-28T23:59:00Z", c.when)', 1],
    ['DateTimePart("mm", c.when)', 2],
    ['DateTimeToTimestamp("1970-01-01T00:00:01Z")', 1000],
    ['TimestampToDateTime(1000)', '1970-01-01T00:00:01.0000000Z'],
  ])('%s', async (expression, expected) => {
    expect(await valueOf(expression)).toEqual(expected);
  });

  it('tells the time', async () => {
    const ms = (await valueOf('GetCurrentTimestamp()')) as number;
    expect(Math.abs(ms - Date.now())).toBeLessThan(60_000);
    expect(await valueOf('GetCurrentDateTime()')).toMatch(/^\d{4}-.*\.\d{7}Z$/);
  });

  it('refuses a wrong number of arguments and broken patterns', async () => {
    expect((await refusal(valueOf('ABS()'))).code).toBe(400);
    expect((await refusal(valueOf('RegexMatch("a", "(")'))).code).toBe(400);
  });
});

describe('lists inside items', () => {
  it('joins, also twice and with an outer name', async () => {
    expect(await all('SELECT p.name, pet FROM c JOIN p IN c.people JOIN pet IN p.pets')).toEqual([
      ...[
        { name: 'Ada', pet: 'cat' },
        { name: 'Ada', pet: 'dog' },
        { name: 'Cy', pet: 'cat' },
      ],
    ]);
    expect(await all('SELECT VALUE p.name FROM p IN c.people WHERE p.age > 30')).toEqual(['Ada']);
    expect(await all('SELECT * FROM p IN c.people WHERE p.name = "Bob"')).toEqual([
      ...[{ name: 'Bob', pets: [], age: 20 }],
    ]);
    expect(await all('SELECT VALUE o.b FROM c.object o')).toEqual(['two']);
  });

  it('asks subqueries', async () => {
    const cats = 'EXISTS(SELECT VALUE p FROM p IN c.people WHERE ARRAY_CONTAINS(p.pets, "cat"))';
    expect(await all(`SELECT VALUE c.id FROM c WHERE ${cats}`)).toEqual(['one']);
    const fish = 'EXISTS(SELECT VALUE 1 FROM p IN c.people WHERE ARRAY_CONTAINS(p.pets, @pet))';
    expect(await all(`SELECT VALUE c.id FROM c WHERE ${fish}`, [{ name: '@pet', value: 'fish' }])).toEqual(
      [],
    );
    expect(await valueOf('ARRAY(SELECT VALUE p.name FROM p IN c.people WHERE IS_DEFINED(p.age))')).toEqual([
      ...['Ada', 'Bob'],
    ]);
    expect(await valueOf('(SELECT VALUE COUNT(1) FROM p IN c.people)')).toBe(3);
    expect(await valueOf('(SELECT VALUE AVG(p.age) FROM p IN c.people)')).toBe(28);
    const joined =
      'SELECT VALUE p FROM c JOIN p IN (SELECT VALUE q.name FROM q IN c.people WHERE q.age < 30)';
    expect(await all(joined)).toEqual(['Bob']);
    const named = 'SELECT VALUE total FROM c JOIN (SELECT VALUE SUM(p.age) FROM p IN c.people) AS total';
    expect(await all(named)).toEqual([56]);
  });

  it('groups what is joined, absent keys included', async () => {
    const query = 'SELECT pet, COUNT(1) AS many FROM c JOIN p IN c.people JOIN pet IN p.pets GROUP BY pet';
    expect(await all(query)).toEqual([
      { pet: 'cat', many: 2 },
      { pet: 'dog', many: 1 },
    ]);
    expect(await all('SELECT p.age FROM c JOIN p IN c.people GROUP BY p.age')).toHaveLength(3);
  });

  it('aggregates by the rules for what is absent or of the wrong type', async () => {
    const over = (aggregate: string) => all(`SELECT VALUE ${aggregate} FROM c JOIN x IN c.list`);
    expect(await over('COUNT(x.k)')).toEqual([1]);
    expect(await over('SUM(x)')).toEqual([]);
    expect(await over('SUM(x.more)')).toEqual([2]);
    expect(await over('MAX(x)')).toEqual([]);
    expect(await over('MIN(x.k)')).toEqual([1]);
  });

  it('names unnamed results in turn', async () => {
    expect(await all('SELECT c.n + 1, c.n, 5 AS five, "x" FROM c')).toEqual([
      { $1: 8, n: 7, five: 5, $2: 'x' },
    ]);
  });
});
