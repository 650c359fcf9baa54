import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const documents = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '');

const textOf = (path: string): Promise<string> => readFile(join(root, path), 'utf8');

describe('the documents', () => {
  it('link to files that are there', async () => {
    expect(documents.length).toBeGreaterThan(10);
    const broken: string[] = [];
    for (const path of documents) {
      for (const [, target = ''] of (await textOf(path)).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        if (!existsSync(join(root, dirname(path), target))) broken.push(`${path}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it('name scripts that are there', async () => {
    const { scripts } = JSON.parse(await textOf('package.json')) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    const unknown: string[] = [];
    for (const path of documents) {
      for (const [, name = ''] of (await textOf(path)).matchAll(/npm run (?:--silent |-s )?([\w:-]+)/g)) {
        if (scripts[name] === undefined) unknown.push(`${path}: npm run ${name}`);
      }
    }
    expect(unknown).toEqual([]);
  });

  it('have recipes of at most ten lines in CONTRIBUTING', async () => {
    const [, ...sections] = (await textOf('CONTRIBUTING.md')).split(/^## /m);
    const recipes = sections.filter((section) => section.startsWith('Add '));
    expect(recipes.map((recipe) => recipe.split('\n')[0])).toEqual([
      'Add a command',
      'Add an event',
      'Add a view',
      'Add a route',
    ]);
    for (const recipe of recipes) expect(recipe.trim().split('\n').slice(2).length).toBeLessThanOrEqual(10);
  });
});
