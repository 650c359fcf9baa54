import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';

/** Another folder than `dist` may be named, to compare a fresh build with the one that runs. */
const folder = process.argv[2] ?? 'dist';

/** One file per deployable. The same bytes run on a developer's machine, in the tests and in the cloud. */
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

await Promise.all([
  build({
    ...common,
    entryPoints: ['functions/app.ts'],
    outfile: join(folder, 'app.cjs'),
    // Offered by the Functions worker, on no registry.
    external: [...common.external, '@azure/functions-core'],
  }),
  build({ ...common, entryPoints: ['agent/main.ts'], outfile: join(folder, 'agent.cjs') }),
  build({ ...common, entryPoints: ['cli/main.ts'], outfile: join(folder, 'lr.cjs') }),
]);
