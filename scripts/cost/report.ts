import { costOfSession, type Line, monthlyCost, type Prices, sumOf, type Workload } from './model.ts';
import type { MeasuredOperations } from './usage.ts';

const amount = (value: number): string =>
  value >= 1_000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));

const money = (value: number | null, currency: string): string => {
  if (value === null) return 'price not given';
  if (value === 0) return '0';
  return value < 0.01 ? `${value.toPrecision(2)} ${currency}` : `${value.toFixed(2)} ${currency}`;
};

const table = (lines: readonly Line[], currency: string): string =>
  [
    ['resource', 'what', 'used', 'billed', 'cost'],
    ['---', '---', '---', '---', '---'],
    ...lines.map(({ resource, what, used, billed, cost }) => [
      resource,
      what,
      amount(used),
      amount(billed),
      money(cost, currency),
    ]),
  ]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');

/** The cost of a workload in Markdown: a month by resource, and one session. */
export const costReport = (workload: Workload, measured: MeasuredOperations, prices: Prices): string => {
  const { currency, region, asOf } = prices;
  const month = monthlyCost(workload, measured, prices);
  const session = costOfSession(workload, measured, prices);
  const atRest = sumOf(monthlyCost({ ...workload, sessions: 0 }, measured, prices));
  const unknown = month.some(({ cost }) => cost === null) ? ' What has no price here comes on top.' : '';
  const { devices, sessions, commands, minutes } = workload;
  return [
    `${amount(devices)} devices; ${amount(sessions)} sessions a month of ${minutes} minutes and ${commands} commands each. Prices: ${region}, ${asOf}.`,
    table(month, currency),
    `A month: **${money(sumOf(month), currency)}**, of which ${money(atRest, currency)} also without any session.${unknown}`,
    'One session more, when nothing is free any more and the database is serverless:',
    table(session, currency),
    `A session: **${money(sumOf(session), currency)}**.${unknown}`,
  ].join('\n\n');
};
