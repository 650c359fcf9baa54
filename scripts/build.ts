import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';

/** Another folder than `dist` may be named, to compare a fresh build with the one that runs. */
const folder = process.argv[2] ?? 'dist';

/**
 * One bundle per deployable: a file, or for the agent a folder, whose parts are loaded when they are needed, because every
 * command starts a process of it. The same bytes run on a developer's machine, in the tests and in the cloud.
 */
const common: BuildOptions & { external: string[] } = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  legalComments: 'none',
  logLevel: 'warning',
  // Optional native speed-ups of `ws`; it runs without them.
  external: ['bufferutil', 'utf-8-validate'],
};

// Its parts are named by their content: those of an earlier build would stay.
await rm(join(folder, 'agent'), { recursive: true, force: true });
await Promise.all([
  build({
    ...common,
    entryPoints: ['functions/app.ts'],
    outfile: join(folder, 'app.cjs'),
    // Offered by the Functions worker, on no registry.
    external: [...common.external, '@azure/functions-core'],
  }),
  build({
    ...common,
    entryPoints: ['agent/main.ts'],
    outdir: join(folder, 'agent'),
    format: 'esm',
    splitting: true,
    outExtension: { '.js': '.mjs' },
    // Bundled CommonJS packages ask for built-in modules by `require`.
    banner: {
      js: "import { createRequire as createRequireOfModule } from 'node:module'; const require = createRequireOfModule(import.meta.url);",
    },
  }),
  build({ ...common, entryPoints: ['cli/main.ts'], outfile: join(folder, 'lr.cjs') }),
]);
