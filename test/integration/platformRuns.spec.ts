import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format } from 'prettier';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { platformChecks } from '../../agent/check/platformChecks.ts';
import {
  catalogue,
  checkedCommands,
  helpFor,
  helpText,
  platformRuns,
  samplesOnlyOn,
} from '../../domain/catalogue/index.ts';
import { platforms } from '../../domain/catalogue/definition.ts';
import { platformsPage } from '../../scripts/platformsPage.ts';

const root = join(import.meta.dirname, '../..');

const run = z.strictObject({
  platform: z.enum(platforms),
  // Names and versions only: no path and no name of a host.
  osVersion: z.string().regex(/^[A-Za-z0-9 .,()/-]+$/),
  agentVersion: z.string().regex(/^\d+\.\d+\.\d+$/),
  date: z.iso.date(),
  results: z.record(z.string().regex(/^[a-z ]+$/), z.string().regex(/^(passed|[A-Z_]+)$/)),
});

it('docs/platforms.md says what is recorded', async () => {
  const options = JSON.parse(await readFile(join(root, '.prettierrc.json'), 'utf8')) as object;
  const page = await format(platformsPage(platformRuns), { ...options, parser: 'markdown' });
  expect(await readFile(join(root, 'docs/platforms.md'), 'utf8')).toBe(page);
});

it('a record holds nothing that names a machine, and one run of a platform', () => {
  const read = z.array(run).parse(platformRuns);
  expect(new Set(read.map(({ platform }) => platform)).size).toBe(read.length);
});

it('every command that differs between systems has a check where the agent has it', () => {
  const checked = platformChecks().map(({ name }) => name);
  expect(checked).toContain('connections');
  for (const name of checked.filter((check) => check !== 'process tree'))
    expect(checkedCommands).toContain(name);
});

it('help says samples only until a run that passed is recorded', () => {
  const page = (name: string) => {
    const help = helpFor(name, catalogue);
    if (!help.ok) throw new Error(name);
    return help.page;
  };
  expect(page('connections').samplesOnlyPlatforms).toEqual(['windows', 'macos']);
  expect(helpText(page('connections')).join('\n')).toMatch(/Samples only +Windows, macOS: no run/);
  expect(page('getfile').samplesOnlyPlatforms).toEqual([]);
  const about = { name: 'dir', platforms };
  const recorded = (result: string) => [
    {
      platform: 'macos',
      osVersion: 'x',
      agentVersion: '1.0.0',
      date: '2026-01-01',
      results: { dir: result },
    },
  ];
  expect(samplesOnlyOn(about, recorded('passed'))).toEqual(['windows', 'linux']);
  expect(samplesOnlyOn(about, recorded('TOOL_MISSING'))).toEqual([...platforms]);
});
