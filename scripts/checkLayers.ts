import { execFileSync } from 'node:child_process';

/** A version of TypeScript that the tool cannot read makes it see almost nothing, and find nothing wrong with it. */
const leastModules = 250;

const folders = [
  'domain',
  'contracts',
  'evidence',
  'functions',
  'agent',
  'sdk',
  'cli',
  'local',
  'scripts',
  'test',
];
const output = execFileSync(
  'depcruise',
  ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...folders],
  {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    shell: false,
  },
);

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}
const { modules, summary } = JSON.parse(output) as {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: { readonly violations: readonly Violation[] };
};

const own = modules.filter(
  ({ source }) => /\.(ts|mts|mjs)$/.test(source) && !source.includes('node_modules'),
).length;
for (const { from, to, rule } of summary.violations) console.error(`${rule.name}: ${from} → ${to}`);
if (own < leastModules) {
  console.error(
    `Only ${own} modules were seen, fewer than ${leastModules}: the check saw too little to mean anything.`,
  );
}
if (summary.violations.length > 0 || own < leastModules) process.exit(1);
console.log(`Layers hold: ${own} modules.`);
