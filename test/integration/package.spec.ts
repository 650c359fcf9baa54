import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Uint8ArrayReader, Uint8ArrayWriter, ZipReader } from '@zip.js/zip.js';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'package-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const packed = async (name: string, timeZone: string): Promise<Uint8Array> => {
  const file = join(folder, name);
  execFileSync(process.execPath, [join(root, 'scripts', 'package.ts'), file], {
    env: { ...process.env, TZ: timeZone },
  });
  return readFile(file);
};

it('gives the same bytes for the same sources, wherever it is made', async () => {
  const [here, there] = [await packed('a.zip', 'UTC'), await packed('b.zip', 'Asia/Tokyo')];
  expect(Buffer.compare(here, there)).toBe(0);
});

it('holds what the platform needs and the very bundle that the tests run', async () => {
  const archive = new ZipReader(new Uint8ArrayReader(await packed('c.zip', 'UTC')));
  const contents = new Map<string, Buffer>();
  for (const entry of await archive.getEntries()) {
    if (entry.directory) throw new Error(`${entry.filename} is a folder.`);
    contents.set(entry.filename, Buffer.from(await entry.getData(new Uint8ArrayWriter())));
  }
  expect([...contents.keys()].sort()).toEqual(['dist/app.cjs', 'host.json', 'package.json']);
  const manifest = JSON.parse(String(contents.get('package.json'))) as Readonly<Record<string, string>>;
  expect(contents.has(manifest['main'] ?? '')).toBe(true);
  const bundle = await readFile(join(root, 'dist', 'app.cjs'));
  expect(contents.get('dist/app.cjs')?.equals(bundle)).toBe(true);
});
