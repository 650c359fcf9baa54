/** The layers of docs/architecture.md. `npm run check:layers` also fails on a low module count. */
const only = (name, comment, from, allowed) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from, pathNot: '^[^/]+/test/' },
  to: { pathNot: [...allowed, '^node_modules/', '^(node:)?[a-z_/]+$'] },
});

module.exports = {
  forbidden: [
    {
      name: 'domain-is-pure',
      comment: 'domain/ imports only domain/. Need a clock, an id or a file? Take it as an argument.',
      severity: 'error',
      from: { path: '^domain/' },
      to: { pathNot: '^domain/' },
    },
    only('contracts-see-the-domain', 'contracts/ imports domain/ and zod.', '^contracts/', [
      '^contracts/',
      '^domain/',
    ]),
    only('evidence-sees-contracts', 'evidence/ imports contracts/ and domain/.', '^evidence/', [
      '^evidence/',
      '^contracts/',
      '^domain/',
    ]),
    only(
      'functions-see-inwards',
      'functions/ never imports a client, the agent or a stand-in.',
      '^functions/',
      ['^functions/', '^evidence/', '^contracts/', '^domain/'],
    ),
    only(
      'agent-sees-contracts',
      'agent/ imports contracts, evidence and the catalogue, never functions.',
      '^agent/',
      ['^agent/', '^evidence/', '^contracts/', '^domain/catalogue/', '^domain/limits'],
    ),
    only('sdk-sees-contracts', 'sdk/ imports contracts, evidence and the catalogue.', '^sdk/', [
      '^sdk/',
      '^evidence/',
      '^contracts/',
      '^domain/catalogue/',
    ]),
    only('cli-sees-the-sdk', 'cli/ imports the sdk, contracts, evidence and the catalogue.', '^cli/', [
      '^cli/',
      '^sdk/',
      '^evidence/',
      '^contracts/',
      '^domain/catalogue/',
    ]),
    {
      name: 'nothing-imports-local',
      comment: 'The stand-ins are for scripts and tests only.',
      severity: 'error',
      from: { pathNot: ['^(local|scripts|test)/', '^[^/]+/test/'] },
      to: { path: '^local/' },
    },
    {
      name: 'stand-ins-know-no-app',
      comment: 'A stand-in serves any app; only local/cloud.ts knows this one.',
      severity: 'error',
      from: { path: '^local/[^/]+/' },
      to: { path: '^(domain|contracts|evidence|functions|agent|sdk|cli|test|scripts)/' },
    },
    {
      name: 'orchestrators-stay-deterministic',
      comment:
        'Orchestrators replay. They see domain/ and the durable API, never an adapter or a Node built-in.',
      severity: 'error',
      from: { path: '^functions/workflows/' },
      to: { pathNot: ['^domain/', '^functions/workflows/', '^node_modules/durable-functions/'] },
    },
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      from: { pathNot: '^(test/|local/[^/]+/test/|agent/test/|cli/test/|sdk/test/)' },
      to: { path: '^test/' },
    },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphan-imports',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^@azure/functions-core$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|\\.local)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.cjs', '.js', '.json'],
    },
  },
};
