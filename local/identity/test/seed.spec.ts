import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readSeed } from '../seed.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'seed-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function readChanged(search: string | RegExp, replacement: string) {
  const original = await readFile(join(import.meta.dirname, '..', 'seed.json'), 'utf8');
  const changed = original.replace(search, replacement);
  expect(changed).not.toBe(original);
  const path = join(dir, 'seed.json');
  await writeFile(path, changed);
  return readSeed(path);
}

it('refuses a role the API does not have', async () => {
  await expect(
    readChanged('"roles": ["LiveResponse.Basic"]', '"roles": ["LiveResponse.Basik"]'),
  ).rejects.toThrow(/ben in contoso has the role LiveResponse.Basik/);
});

it('refuses an id that is used twice or is no GUID', async () => {
  const [ana, ben] = ['810001', '810002'].map((end) => `a5d1f3c2-9be4-4a6f-8f0d-2b6c4e${end}`);
  await expect(readChanged(ben ?? '', ana ?? '')).rejects.toThrow(/used twice/);
  await expect(readChanged(ben ?? '', 'ben')).rejects.toThrow(/"ben" is not a lower-case GUID/);
});
