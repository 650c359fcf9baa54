import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { nextAfterFailure, nextAfterRefusal } from '../../cli/nextSteps.ts';
import { statusOf } from '../../functions/http/problem.ts';

const root = join(import.meta.dirname, '..', '..');

/** The text of every source file of a folder, tests left out. */
const sourceOf = async (folder: string): Promise<string> => {
  const files = await readdir(join(root, folder), { recursive: true });
  const sources = files.filter((file) => file.endsWith('.ts') && !/node_modules|(^|\/)test\//.test(file));
  return (await Promise.all(sources.map((file) => readFile(join(root, folder, file), 'utf8')))).join('\n');
};

const all = (source: string, pattern: RegExp): string[] => [
  ...new Set([...source.matchAll(pattern)].map(([, code = '']) => code)),
];

/** What the API answers with, by its own table and by the one that is published. */
it('says what to do about every refusal of the API', async () => {
  const published = await readFile(join(root, 'docs', 'errors.md'), 'utf8');
  const tables = published.split('\n').filter((line) => line.startsWith('|'));
  const codes = new Set([...Object.keys(statusOf), ...all(tables.join('\n'), /`([A-Z][A-Z_]+)`/g)]);
  expect(codes.size).toBeGreaterThan(45);
  const silent = [...codes].filter((code) => nextAfterRefusal(code) === undefined);
  expect(silent, 'cli/nextSteps.ts has nothing for these refusals').toEqual([]);
});

/** No codes of failures: of the agent's start and its environment, and names in the registry of Windows. */
const notTold = /^LIVE_RESPONSE_|^NOT_ENROLLED$|^HKEY_|^REG_/;

it('says what to do about every way in which a command fails or is lost', async () => {
  const agent = all(await sourceOf('agent'), /'([A-Z]+(?:_[A-Z]+)+)'/g).filter((code) => !notTold.test(code));
  const events = await readFile(join(root, 'domain', 'session', 'events.ts'), 'utf8');
  const lost = all(/type LostReason =([^;]+);/.exec(events)?.[1] ?? '', /'([A-Z_]+)'/g);
  expect(agent).toContain('ACCESS_DENIED');
  expect(lost).toContain('SILENT');
  const silent = [...agent, ...lost].filter((code) => nextAfterFailure(code) === undefined);
  expect(silent, 'cli/nextSteps.ts has nothing for these failures').toEqual([]);
});
