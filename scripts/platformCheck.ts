import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { platformChecks } from '../agent/check/platformChecks.ts';
import { agentPlatform, hostFacts } from '../agent/platform/hostFacts.ts';
import { agentVersion } from '../agent/version.ts';
import { type PlatformRun, platformRuns } from '../domain/catalogue/index.ts';
import { platformsPage } from './platformsPage.ts';

/**
 * Runs every command of this system for real, checks what must be true of its rows, and writes down that it did: `help` and
 * docs/platforms.md follow from the record. `--page` only writes the page again.
 */
const root = join(import.meta.dirname, '..');
const recordFile = join(root, 'domain/catalogue/platformRuns.json');
const pageFile = join(root, 'docs/platforms.md');

const tidy = (path: string): void => {
  execFileSync(process.execPath, [join(root, 'node_modules/prettier/bin/prettier.cjs'), '--write', path], {
    stdio: 'ignore',
  });
};

const record = async (): Promise<readonly PlatformRun[]> => {
  const results: Record<string, string> = {};
  for (const { name, check } of platformChecks()) {
    const since = performance.now();
    const failure = await check().then(
      () => undefined,
      (error: unknown) => error,
    );
    results[name] = failure === undefined ? 'passed' : codeOf(failure);
    const seconds = ((performance.now() - since) / 1000).toFixed(1);
    const said = failure instanceof Error ? `: ${failure.message}` : '';
    process.stdout.write(`${name.padEnd(16)} ${results[name]} (${seconds} s)${said}\n`);
  }
  const run: PlatformRun = {
    platform: agentPlatform,
    osVersion: withoutBuild(hostFacts().osVersion),
    agentVersion,
    date: new Date().toISOString().slice(0, 10),
    results,
  };
  return [...platformRuns.filter(({ platform }) => platform !== agentPlatform), run].sort((one, other) =>
    one.platform < other.platform ? -1 : 1,
  );
};

/** The name of a kernel may tell who built it and where it runs. */
const withoutBuild = (osVersion: string): string => osVersion.replace(/(kernel \d+\.\d+)\S*/, '$1');

/** Only the code: messages hold paths and names of this machine. */
const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'CHECK_FAILED';

const runs = process.argv.includes('--page') ? platformRuns : await record();
await writeFile(recordFile, JSON.stringify(runs));
tidy(recordFile);
const before = await readFile(pageFile, 'utf8').catch(() => '');
await writeFile(pageFile, platformsPage(runs));
tidy(pageFile);
if ((await readFile(pageFile, 'utf8')) !== before) process.stdout.write('docs/platforms.md has changed.\n');
const failed = runs.find(({ platform }) => platform === agentPlatform)?.results ?? {};
if (Object.values(failed).some((result) => result !== 'passed')) process.exitCode = 1;
