import type { Container, PatchOperation, PatchRequestBody } from '@azure/cosmos';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CosmosUnderTest, refusal, startedCosmos } from './startedCosmos.ts';

let cosmos: CosmosUnderTest;
let container: Container;
beforeAll(async () => {
  cosmos = await startedCosmos();
  container = await cosmos.newContainer();
});
afterAll(() => cosmos.close());

let made = 0;
async function item() {
  made += 1;
  const id = `item-${made}`;
  await container.items.create({ id, pk: 'A', n: 1, list: ['a', 'b'], nested: { deep: { x: 1 } }, 'a/b': 1 });
  return container.item(id, 'A');
}

async function patched(operations: PatchRequestBody) {
  const { resource } = await (await item()).patch<Record<string, unknown>>(operations);
  const { id, pk, _rid, _self, _etag, _attachments, _ts, ...own } = resource as Record<string, unknown>;
  return own;
}

const before = { n: 1, list: ['a', 'b'], nested: { deep: { x: 1 } }, 'a/b': 1 };

it.each([
  [{ op: 'add', path: '/m', value: { y: 2 } }, { m: { y: 2 } }],
  [{ op: 'add', path: '/n', value: 5 }, { n: 5 }],
  [{ op: 'add', path: '/list/1', value: 'x' }, { list: ['a', 'x', 'b'] }],
  [{ op: 'add', path: '/list/-', value: 'x' }, { list: ['a', 'b', 'x'] }],
  [{ op: 'set', path: '/nested/deep/x', value: null }, { nested: { deep: { x: null } } }],
  [{ op: 'set', path: '/nested/new', value: 1 }, { nested: { deep: { x: 1 }, new: 1 } }],
  [{ op: 'set', path: '/list/0', value: 'x' }, { list: ['x', 'b'] }],
  [{ op: 'replace', path: '/n', value: 'text' }, { n: 'text' }],
  [{ op: 'remove', path: '/list/0' }, { list: ['b'] }],
  [{ op: 'incr', path: '/n', value: 2.5 }, { n: 3.5 }],
  [{ op: 'incr', path: '/count', value: -1 }, { count: -1 }],
  [{ op: 'set', path: '/a~1b', value: 2 }, { 'a/b': 2 }],
] as [PatchOperation, object][])('%j', async (operation, changes) => {
  expect(await patched([operation])).toEqual({ ...before, ...changes });
});

/** The SDK passes it on, but its types do not know it. */
const move = (from: string, path: string) => ({ op: 'move', from, path }) as unknown as PatchOperation;

it('removes and moves', async () => {
  expect(await patched([{ op: 'remove', path: '/n' }])).toEqual({
    ...{ list: ['a', 'b'], nested: { deep: { x: 1 } }, 'a/b': 1 },
  });
  expect(await patched([move('/nested/deep/x', '/n'), move('/list/1', '/list/0')])).toEqual({
    n: 1,
    list: ['b', 'a'],
    nested: { deep: {} },
    'a/b': 1,
  });
});

it.each([
  [[{ op: 'replace', path: '/missing', value: 1 }], 'absent'],
  [[{ op: 'remove', path: '/missing' }], 'absent'],
  [[{ op: 'add', path: '/x/y', value: 1 }], "leads through 'x'"],
  [[{ op: 'incr', path: '/list', value: 1 }], 'needs a number'],
  [[{ op: 'add', path: '/list/9', value: 1 }], 'absent'],
  [[{ op: 'set', path: '/id', value: 'y' }], 'cannot change /id'],
  [[{ op: 'set', path: '/pk', value: 'B' }], 'cannot change /pk'],
  [[{ op: 'set', path: '/_ts', value: 1 }], 'cannot change /_ts'],
  [Array.from({ length: 11 }, () => ({ op: 'incr', path: '/n', value: 1 })), 'at most 10'],
] as [PatchOperation[], string][])('refuses %j and changes nothing', async (operations, reason) => {
  const target = await item();
  const { code, message } = await refusal(target.patch(operations));
  expect(code).toBe(400);
  expect(message).toContain(reason);
  expect((await target.read()).resource).toMatchObject(before);
});

describe('conditions', () => {
  it('changes the item only when the condition holds', async () => {
    const target = await item();
    const operations: PatchOperation[] = [{ op: 'incr', path: '/n', value: 1 }];
    const when = (condition: string) => target.patch({ condition, operations });
    expect((await when('from c where c.n = 1')).statusCode).toBe(200);
    expect((await refusal(when('from c where c.n = 1'))).code).toBe(412);
    expect((await when('FROM root r WHERE ARRAY_CONTAINS(r.list, "b") AND r.n < 3')).statusCode).toBe(200);
    expect((await refusal(when('from c where c..n'))).code).toBe(400);
    expect((await target.read<{ n: number }>()).resource?.n).toBe(3);
  });

  it('heeds etags, and misses what is not there', async () => {
    const target = await item();
    const { etag } = await target.read();
    const operations: PatchOperation[] = [{ op: 'incr', path: '/n', value: 1 }];
    const ifMatch = (condition: string) =>
      target.patch(operations, { accessCondition: { type: 'IfMatch', condition } });
    expect((await ifMatch(etag)).statusCode).toBe(200);
    expect((await refusal(ifMatch(etag))).code).toBe(412);
    expect((await refusal(container.item('missing', 'A').patch(operations))).code).toBe(404);
  });

  it('takes part in a transaction', async () => {
    const target = await item();
    const patch = (condition: string) => ({
      operationType: 'Patch' as const,
      id: target.id,
      resourceBody: { condition, operations: [{ op: 'set' as const, path: '/n', value: 9 }] },
    });
    const create = (id: string) => ({ operationType: 'Create' as const, resourceBody: { id, pk: 'A' } });
    const failed = await container.items.batch([create('with'), patch('from c where c.n = 7')], 'A');
    expect(failed.code).toBe(207);
    expect(failed.result?.map((one) => one.statusCode)).toEqual([424, 412]);
    const done = await container.items.batch([create('with'), patch('from c where c.n = 1')], 'A');
    expect(done.result?.map((one) => one.statusCode)).toEqual([201, 200]);
    expect((await target.read<{ n: number }>()).resource?.n).toBe(9);
  });
});
