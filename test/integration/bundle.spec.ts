import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../evidence/canonical.ts';

const root = join(import.meta.dirname, '..', '..');
const deployables = ['app.cjs', 'agent', 'lr.cjs'];

/** Every file of a deployable, which is a file or a folder, with its content. */
const filesOf = async (folder: string, name: string): Promise<ReadonlyMap<string, string>> => {
  const isFile = name.endsWith('.cjs');
  const names = isFile ? [name] : (await readdir(join(folder, name))).map((file) => join(name, file)).sort();
  return new Map(
    await Promise.all(names.map(async (file) => [file, await readFile(join(folder, file), 'utf8')] as const)),
  );
};
let fresh = '';

beforeAll(async () => {
  fresh = await mkdtemp(join(tmpdir(), 'build-'));
  await promisify(execFile)(process.execPath, [join('scripts', 'build.ts'), fresh], { cwd: root });
});
afterAll(() => rm(fresh, { recursive: true, force: true }));

describe('what runs', () => {
  it('is the bundle that is deployed', async () => {
    const { main } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      readonly main: string;
    };
    expect(basename(main)).toBe('app.cjs');
    const [deployed, built] = await Promise.all([
      readFile(join(root, main)),
      readFile(join(fresh, basename(main))),
    ]);
    // A difference means that dist/ is older than the sources: npm run build.
    expect(sha256(deployed)).toBe(sha256(built));
    expect(await readdir(join(root, dirname(main)))).toEqual(expect.arrayContaining(deployables));
  });

  it.each(['agent', 'lr.cjs'])('is a fresh %s', async (name) => {
    const hashesOf = async (folder: string) =>
      [...(await filesOf(folder, name))].map(([file, text]) => [file, sha256(text)]);
    expect(await hashesOf(join(root, 'dist'))).toEqual(await hashesOf(fresh));
  });
});

/** The bundler writes the path of each module above it. */
const modulesOf = async (name: string): Promise<readonly string[]> =>
  [...(await filesOf(fresh, name)).values()].flatMap((text) =>
    [...text.matchAll(/^ *\/\/ ((?:[\w@.-]+\/)+[\w.-]+\.[cm]?[jt]s)$/gm)].map(([, path = '']) => path),
  );

describe('what is deployed', () => {
  it.each([
    ['app.cjs', 'functions/app.ts', ['functions', 'evidence', 'contracts', 'domain']],
    ['agent', 'agent/main.ts', ['agent', 'evidence', 'contracts', 'domain']],
    ['lr.cjs', 'cli/main.ts', ['cli', 'sdk', 'evidence', 'contracts', 'domain']],
  ] as const)('%s holds its own layers only, and no stand-in', async (name, entry, layers) => {
    const modules = await modulesOf(name);
    expect(modules).toContain(entry);
    const folders = new Set(modules.map((path) => path.split('/')[0]));
    folders.delete('node_modules');
    expect([...folders].sort()).toEqual([...layers].sort());
  });

  it('names nothing of this machine', async () => {
    const seed = JSON.parse(await readFile(join(root, 'local', 'identity', 'seed.json'), 'utf8')) as {
      readonly tenants: readonly { readonly applications: readonly { readonly secret: string }[] }[];
    };
    const secrets = seed.tenants.flatMap(({ applications }) => applications.map(({ secret }) => secret));
    expect(secrets.length).toBeGreaterThan(0);
    for (const name of deployables) {
      const text = [...(await filesOf(fresh, name)).values()].join('\n');
      for (const unwanted of [...secrets, '_local/faults', root, fresh])
        expect([name, unwanted, text.includes(unwanted)]).toEqual([name, unwanted, false]);
    }
  });
});
