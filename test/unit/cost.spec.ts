import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  costOfSession,
  type Line,
  monthlyCost,
  type Prices,
  sumOf,
  usageOf,
  type Workload,
} from '../../scripts/cost/model.ts';
import type { MeasuredOperations, Usage } from '../../scripts/cost/usage.ts';

const root = join(import.meta.dirname, '..', '..');
const prices = JSON.parse(readFileSync(join(root, 'scripts', 'cost', 'prices.json'), 'utf8')) as Prices;
const nothing: Usage = { requestUnits: 0, executions: 0, messages: 0, durableActions: 0 };
const measured: MeasuredOperations = {
  measuredAt: '2026-11-24T00:00:00.000Z',
  machine: 'none',
  idleSecond: { ...nothing, requestUnits: 10 },
  heartbeat: { ...nothing, requestUnits: 13, executions: 1, messages: 1 },
  session: { requestUnits: 400, executions: 10, messages: 4, durableActions: 6 },
  followedSecond: { ...nothing, requestUnits: 4 },
  command: { requestUnits: 100, executions: 4, messages: 2, durableActions: 0, storedBytes: 8_000 },
};
const workload: Workload = {
  devices: 0,
  sessions: 0,
  commands: 30,
  minutes: 20,
  collectedBytes: 0,
  heartbeat: 900,
  keptMonths: 12,
  sharing: 1,
  instanceGb: 2,
  ready: 0,
  autoscaleUnits: null,
};
const costOf = (lines: readonly Line[], what: string): number | null | undefined =>
  lines.find((line) => line.what === what)?.cost;

it('adds up what every part of a month uses', () => {
  expect(usageOf({ ...workload, devices: 2, sessions: 3 }, measured)).toEqual({
    requestUnits: 2_592_000 * 10 + 2 * 2_880 * 13 + 3 * (400 + 1_200 * 4 + 30 * 100),
    executions: 2 * 2_880 + 3 * (10 + 30 * 4),
    messages: 2 * 2_880 + 3 * (4 + 30 * 2),
    durableActions: 3 * 6,
  });
});

it('costs little more than its namespace and its looks at the feed while nothing happens', () => {
  const month = monthlyCost(workload, measured, prices);
  expect(costOf(month, 'namespaces')).toBe(9.81);
  expect(costOf(month, 'request units')).toBeCloseTo(25_920_000 * 0.00000025, 6);
  expect(sumOf(month)).toBeCloseTo(9.81 + 6.48, 6);
});

it('pays for connections above the thousand that are included, in as many namespaces as it takes', () => {
  const month = monthlyCost({ ...workload, devices: 100_000 }, measured, prices);
  expect(costOf(month, 'connections')).toBeCloseTo(99_000 * 0.03, 6);
  expect(costOf(month, 'namespaces')).toBeCloseTo(25 * 9.81, 6);
});

it('pays an autoscaled database for a tenth of its maximum at least, and for its maximum at most', () => {
  const hours = (autoscaleUnits: number, sessions: number) =>
    monthlyCost({ ...workload, autoscaleUnits, sessions }, measured, prices).find(
      ({ what }) => what === 'hours of 100 units per second',
    )?.billed;
  expect(hours(10_000, 0)).toBe(720 * 10);
  expect(hours(1_000, 10_000_000)).toBe(720 * 10);
});

it('says what one more session costs, with nothing free', () => {
  const session = costOfSession(workload, measured, prices);
  expect(session.find(({ what }) => what === 'request units')?.used).toBeCloseTo(
    400 + 1_200 * 4 + 30 * 100,
    3,
  );
  expect(session.find(({ what }) => what === 'signatures')?.used).toBe(32);
  expect(session.map(({ what }) => what)).not.toContain('namespaces');
});

it('shows use without money where no price is known', () => {
  const month = monthlyCost({ ...workload, sessions: 10 }, measured, prices);
  expect(month.find(({ resource }) => resource === 'Durable Task Scheduler')).toMatchObject({
    used: 60,
    cost: null,
  });
});

it('is what docs/cost.md shows', () => {
  const text = readFileSync(join(root, 'docs', 'cost.md'), 'utf8');
  const shown = [...text.matchAll(/`npm run cost -- ([^`]+)`\n\n([^]+?)\n\n<!-- end -->/g)];
  expect(shown.length).toBeGreaterThanOrEqual(2);
  for (const [, flags = '', report] of shown) {
    const said = execFileSync(process.execPath, ['scripts/cost.ts', ...flags.split(' ')], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(plain(report ?? '')).toBe(plain(said));
  }
});

/** Without the blanks that align columns. */
const plain = (markdown: string): string => markdown.trim().replace(/ +\|/g, ' |').replace(/-{3,}/g, '---');
