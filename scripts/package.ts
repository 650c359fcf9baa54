import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configure, Uint8ArrayReader, Uint8ArrayWriter, ZipWriter } from '@zip.js/zip.js';

/**
 * Writes `dist/live-response.zip`: what a function app of the Flex Consumption plan runs, and nothing else. The bundle has all
 * its dependencies in it, so nothing is installed in Azure. The same sources give the same bytes.
 */
const root = join(import.meta.dirname, '..');
const target = process.argv[2] ?? join(root, 'dist', 'live-response.zip');
/** Zip files hold local times, and none before this one. */
const noDate = new Date(1980, 0, 1);

const { name, version, type, main } = JSON.parse(
  await readFile(join(root, 'package.json'), 'utf8'),
) as Readonly<Record<string, string>>;
const manifest = `${JSON.stringify({ name, version, type, main }, null, 2)}\n`;
const files: readonly (readonly [string, Uint8Array])[] = [
  ['host.json', await readFile(join(root, 'host.json'))],
  ['package.json', Buffer.from(manifest)],
  ['dist/app.cjs', await readFile(join(root, 'dist', 'app.cjs'))],
];

configure({ useWebWorkers: false });
const archive = new ZipWriter(new Uint8ArrayWriter(), { extendedTimestamp: false });
for (const [path, content] of files)
  await archive.add(path, new Uint8ArrayReader(content), { lastModDate: noDate });
const bytes = await archive.close();
await writeFile(target, bytes);
const hash = createHash('sha256').update(bytes).digest('hex');
process.stdout.write(`${target}: ${bytes.length} bytes, SHA-256 ${hash}\n`);
