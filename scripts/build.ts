import { type BuildOptions, build } from 'esbuild';

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
    outfile: 'dist/app.cjs',
    // Offered by the Functions worker, on no registry.
    external: [...common.external, '@azure/functions-core'],
  }),
  build({ ...common, entryPoints: ['agent/main.ts'], outfile: 'dist/agent.cjs' }),
  build({ ...common, entryPoints: ['cli/main.ts'], outfile: 'dist/lr.cjs' }),
]);
