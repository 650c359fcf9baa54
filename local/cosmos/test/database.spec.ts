import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openAccount } from '../account.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cosmos-database-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

function change(sql: string) {
  const sqlite = new DatabaseSync(join(dir, 'cosmos.sqlite'));
  sqlite.exec(sql);
  sqlite.close();
}

it('takes over a folder of the version before and keeps its items', async () => {
  const first = openAccount(dir, 2, 'NORMAL');
  await first.catalogue.createDatabase({ id: 'd' });
  const made = await first.catalogue.createContainer('d', { id: 'c', partitionKey: { paths: ['/pk'] } });
  const target = () => ({ container: made, lsn: first.queue.nextLsn(made), pk: '["A"]' });
  await first.queue.run(() => first.items.create(target(), { id: 'kept', pk: 'A' }, {}));
  await first.close();
  change(
    'DROP TRIGGER items_free_values; DROP TABLE unique_values; DROP TABLE versions; PRAGMA user_version = 1',
  );

  const second = openAccount(dir, 2, 'NORMAL');
  const container = second.catalogue.container('d', 'c');
  expect(second.items.find(container, '["A"]', 'kept')?.body).toContain('"kept"');
  const again = () => ({ container, lsn: second.queue.nextLsn(container), pk: '["A"]' });
  expect((await second.queue.run(() => second.items.delete(again(), 'kept', {}))).status).toBe(204);
  await second.close();
});

it('leaves a folder of a later version alone', async () => {
  await openAccount(dir, 2, 'NORMAL').close();
  change('PRAGMA user_version = 99');
  expect(() => openAccount(dir, 2, 'NORMAL')).toThrow('version 99');
});
