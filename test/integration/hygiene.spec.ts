import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openApi, operations } from '../../contracts/openApi.ts';
import { routes } from '../../functions/http/index.ts';
import type { Services } from '../../functions/services.ts';

const root = join(import.meta.dirname, '..', '..');

const sourcesOf = async (folder: string): Promise<readonly string[]> =>
  (await readdir(join(root, folder), { recursive: true }))
    .filter((path) => path.endsWith('.ts') && !/(^|\/)(node_modules|test)\//.test(path))
    .map((path) => join(folder, path));

describe('the code that is deployed', () => {
  it.each(['functions', 'domain', 'agent', 'contracts', 'evidence'])(
    '%s does not know whether it runs on a stand-in',
    async (folder) => {
      const paths = await sourcesOf(folder);
      expect(paths.length).toBeGreaterThan(2);
      const found: string[] = [];
      for (const path of paths) {
        const lines = (await readFile(join(root, path), 'utf8')).split('\n');
        lines.forEach((line, index) => {
          if (
            /localhost|127\.0\.0\.1|\[::1\]|azurite|emulator|\.local\/(?!share)|devstoreaccount/i.test(line)
          )
            found.push(`${path}:${index + 1}: ${line.trim()}`);
        });
      }
      expect(found).toEqual([]);
    },
  );
});

describe('the description of the API', () => {
  // Handlers look at the services only when they are called.
  const served = routes({ tokens: {}, tenants: [] } as unknown as Services);
  const asText = ({ method, path }: { readonly method: string; readonly path: string }): string =>
    `${method.toLowerCase()} /${path.replace(/^\//, '')}`;

  it('has exactly the operations that are served, under the same names', () => {
    const described = operations.map((operation) => `${asText(operation)} ${operation.id}`).sort();
    expect(described).toEqual(served.map((route) => `${asText(route)} ${route.name}`).sort());
    expect(new Set(described).size).toBe(described.length);
  });

  it('shows each of them', () => {
    const { paths } = openApi() as {
      readonly paths: Readonly<Record<string, Readonly<Record<string, object>>>>;
    };
    const shown = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(shown.sort()).toEqual(served.map(asText).sort());
  });

  it('is served below the prefix that the host puts before every route', async () => {
    const host = JSON.parse(await readFile(join(root, 'host.json'), 'utf8')) as {
      readonly extensions?: { readonly http?: { readonly routePrefix?: string } };
    };
    const { servers } = openApi() as { readonly servers: readonly { readonly url: string }[] };
    expect(servers).toEqual([{ url: `/${host.extensions?.http?.routePrefix ?? 'api'}` }]);
  });
});

describe('the lock file', () => {
  it('names no registry', async () => {
    const lock = await readFile(join(root, 'package-lock.json'), 'utf8');
    expect(lock.match(/"resolved": "https?:[^"]*"/g)).toBeNull();
    expect(lock).toContain('"integrity"');
  });

  it('has every dependency at one exact version', async () => {
    const manifests = ['package.json', ...(await workspaceManifests())];
    const loose: string[] = [];
    for (const path of manifests) {
      const { dependencies = {}, devDependencies = {} } = JSON.parse(
        await readFile(join(root, path), 'utf8'),
      ) as Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;
      for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
        if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) loose.push(`${path}: ${name} ${version}`);
    }
    expect(loose).toEqual([]);
  });
});

const workspaceManifests = async (): Promise<readonly string[]> => {
  const { workspaces } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    readonly workspaces: readonly string[];
  };
  const folders = await Promise.all(
    workspaces.map(async (pattern) => {
      if (!pattern.endsWith('/*')) return [pattern];
      const parent = pattern.slice(0, -2);
      const entries = await readdir(join(root, parent), { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(parent, name));
    }),
  );
  const existing: string[] = [];
  for (const folder of folders.flat()) {
    if ((await readdir(join(root, folder))).includes('package.json'))
      existing.push(join(folder, 'package.json'));
  }
  return existing;
};
