import { readFile } from 'node:fs/promises';
import tls from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { storeControl } from '../storeControl.ts';
import { type CosmosUnderTest, masterKey, startedCosmos } from './startedCosmos.ts';

let cosmos: CosmosUnderTest;
beforeAll(async () => {
  cosmos = await startedCosmos();
  const authority = await readFile(cosmos.caFile, 'utf8');
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), authority]);
});
afterAll(() => cosmos.close());

it('switches faults, splits, and reads and resets what was counted', async () => {
  const control = storeControl({ endpoint: cosmos.endpoint, masterKey });
  const container = await cosmos.newContainer();
  await container.items.create({ id: 'a', pk: '1' });
  await control.resetCounters();
  await container.item('a', '1').read();
  const counted = await control.counters();
  expect(counted['readItem']).toMatchObject({ count: 1 });
  expect(counted['createItem']).toBeUndefined();

  await control.set([{ kind: 'readItem', status: 503, times: 1 }]);
  await expect(
    cosmos.local('GET', `dbs/tests/colls/${container.id}/docs/a`),
    'the fault meets a request that is no repeat of the SDK',
  ).resolves.toMatchObject({ status: 503 });
  expect(await control.list()).toMatchObject([{ kind: 'readItem', met: 1, over: true }]);
  await control.set([]);
  expect(await control.list()).toEqual([]);

  const ranges = async () =>
    (
      (await cosmos.local('GET', `dbs/tests/colls/${container.id}/pkranges`)).body as {
        PartitionKeyRanges: unknown[];
      }
    ).PartitionKeyRanges.length;
  const before = await ranges();
  await control.split('tests', container.id);
  expect(await ranges()).toBeGreaterThan(before);
});
