import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { choosePorts } from '../../local/ports.ts';

const folders: string[] = [];
const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'ports-'));
  folders.push(folder);
  return folder;
};
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

it('gives clouds that start at the same time no port twice, and none that an outgoing connection could take', async () => {
  const chosen = await Promise.all(
    Array.from({ length: 20 }, async () => Object.values(await choosePorts(await newFolder()))),
  );
  const all = chosen.flat();
  expect(new Set(all).size).toBe(all.length);
  expect(all.length).toBe(20 * 7);
  expect(Math.max(...all)).toBeLessThan(32_768);
});

it('keeps the ports of a folder, but for one that somebody else has now', async () => {
  const folder = await newFolder();
  const before = await choosePorts(folder);
  expect(await choosePorts(folder)).toEqual(before);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(before.storage, '127.0.0.1', resolve));
  try {
    const { storage, ...others } = await choosePorts(folder);
    expect(storage).not.toBe(before.storage);
    expect(before).toMatchObject(others);
  } finally {
    await new Promise((resolve) => other.close(resolve));
  }
});
