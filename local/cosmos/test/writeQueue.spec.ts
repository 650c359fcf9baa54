import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Account, openAccount } from '../account.ts';

let dir: string;
let account: Account;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cosmos-queue-'));
  account = openAccount(dir, 4, 'NORMAL');
  await account.catalogue.createDatabase({ id: 'd' });
  await account.catalogue.createContainer('d', { id: 'c', partitionKey: { paths: ['/pk'] } });
});
afterEach(async () => {
  await account.close();
  await rm(dir, { recursive: true, force: true });
});

function create(id: string) {
  const { queue, items, catalogue } = account;
  const container = catalogue.container('d', 'c');
  return queue.run(() =>
    items.create({ container, lsn: queue.nextLsn(container), pk: '["A"]' }, { id, pk: 'A' }, {}),
  );
}

it('undoes what fails inside a shared commit, and nothing else', async () => {
  const { queue, items, catalogue } = account;
  const container = catalogue.container('d', 'c');
  const outcomes = await Promise.allSettled([
    create('one'),
    queue.run(() => {
      items.create({ container, lsn: queue.nextLsn(container), pk: '["A"]' }, { id: 'half', pk: 'A' }, {});
      throw new Error('second half fails');
    }),
    create('two'),
  ]);
  expect(outcomes.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  const found = ['one', 'half', 'two'].map((id) => items.find(container, '["A"]', id) !== undefined);
  expect(found).toEqual([true, false, true]);
});

it('goes on counting after a restart', async () => {
  await create('one');
  await create('two');
  const before = account.catalogue.container('d', 'c').lsn;
  await account.close();
  account = openAccount(dir, 4, 'NORMAL');
  expect(account.catalogue.container('d', 'c').lsn).toBe(before);
  await create('three');
  expect(account.catalogue.container('d', 'c').lsn).toBe(before + 1);
});

it('brings nothing back into a deleted container', async () => {
  const deletion = account.catalogue.deleteContainer('d', 'c');
  await expect(create('late')).rejects.toThrow(/does not exist/);
  await deletion;
  const { n } = account.database.prepare('SELECT count(*) AS n FROM items').get() as { n: number };
  expect(n).toBe(0);
});
