import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { type Mutation, mutations } from './mutations.ts';

/**
 * Breaks one thing after the other in a copy of the tree and shows that a test fails for each: tests that nothing can make
 * fail prove nothing. `npm run mutate [part of a name]`.
 */
const root = join(import.meta.dirname, '..');
const notCopied = new Set(['.git', '.local', 'dist']);
const [wanted = ''] = process.argv.slice(2);

interface TestRun {
  readonly failed: readonly string[];
  readonly passed: number;
  readonly output: string;
}

const copyTree = (copy: string): void =>
  cpSync(root, copy, {
    recursive: true,
    filter: (source) => {
      const name = basename(source);
      if (name === 'node_modules') {
        symlinkSync(source, join(copy, relative(root, source)));
        return false;
      }
      return !notCopied.has(name);
    },
  });

const runTests = (copy: string, files: readonly string[]): TestRun => {
  const report = join(copy, 'report.json');
  rmSync(report, { force: true });
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [vitest, 'run', '--project', 'parts', '--reporter', 'json', '--outputFile', report, ...files],
    { cwd: copy, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } },
  );
  const output = `${stdout}${stderr}`;
  if (!existsSync(report)) return { failed: [], passed: 0, output };
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
    readonly testResults: readonly {
      readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
    }[];
  };
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  return {
    failed: tests.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName.trim()),
    passed: tests.filter(({ status }) => status === 'passed').length,
    output,
  };
};

/** What is wrong with a mutation; undefined when its test noticed it. */
const tryMutation = (copy: string, { file, text, becomes, test }: Mutation): string | undefined => {
  const path = join(copy, file);
  const original = readFileSync(path, 'utf8');
  const found = original.split(text).length - 1;
  if (found !== 1)
    return `its text stands ${found} times in ${file}. Say in scripts/mutations.ts what to change now.`;
  writeFileSync(
    path,
    original.replace(text, () => becomes),
  );
  try {
    const { failed, output } = runTests(copy, [test]);
    if (failed.length === 0) return `no test of ${test} fails. Write one that does.\n${output.slice(-2_000)}`;
    console.log(`  noticed by ${failed.length}: ${failed[0]}`);
    return undefined;
  } finally {
    writeFileSync(path, original);
  }
};

const chosen = mutations.filter(({ breaks }) => breaks.includes(wanted));
if (chosen.length === 0)
  throw new Error(`No mutation breaks '${wanted}'. They are listed in scripts/mutations.ts.`);
const copy = mkdtempSync(join(tmpdir(), 'live-response-mutants-'));
const began = performance.now();
let survived = 0;
try {
  copyTree(copy);
  const sound = runTests(copy, [...new Set(chosen.map(({ test }) => test))]);
  if (sound.failed.length > 0 || sound.passed === 0) {
    throw new Error(
      `The tests must pass before anything is broken; these fail: ${sound.failed.join('; ')}\n${sound.output.slice(-4_000)}`,
    );
  }
  for (const mutation of chosen) {
    console.log(mutation.breaks);
    const fault = tryMutation(copy, mutation);
    if (fault === undefined) continue;
    survived += 1;
    console.error(`  NOT NOTICED: ${fault}`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
const seconds = ((performance.now() - began) / 1000).toFixed(0);
console.log(`${chosen.length - survived} of ${chosen.length} noticed (${seconds} s).`);
if (survived > 0) process.exitCode = 1;
