import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Prices, Workload } from './cost/model.ts';
import { costReport } from './cost/report.ts';
import type { MeasuredOperations } from './cost/usage.ts';

const help = `What a deployment costs in a month.

npm run cost -- --devices 1000 --sessions 200 --commands 30

  --devices N        enrolled devices                                (100)
  --sessions N       sessions in a month                             (100)
  --commands N       commands in a session                           (30)
  --minutes N        minutes for which a session is followed         (20)
  --collected N      bytes that a session collects                   (50 MiB)
  --heartbeat N      seconds between heartbeats of a device          (900)
  --kept N           months for which events and files are kept      (12)
  --sharing N        followed sessions that share an instance        (1)
  --ready N          always-ready instances                          (0)
  --autoscale N      most request units per second; without it the database is serverless
  --memory N         GB of an instance                               (2)
  --prices FILE      other prices than those of scripts/cost/prices.json
`;

const refuse = (message: string): never => {
  process.stderr.write(`${message}\n\n${help}`);
  process.exit(2);
};

const numeric = [
  'devices',
  'sessions',
  'commands',
  'minutes',
  'collected',
  'heartbeat',
  'kept',
  'sharing',
  'ready',
  'autoscale',
  'memory',
] as const;

const given = (() => {
  try {
    const options = Object.fromEntries(
      [...numeric, 'prices'].map((name) => [name, { type: 'string' as const }]),
    );
    return parseArgs({ options: { ...options, help: { type: 'boolean' } } }).values as Readonly<
      Record<string, string | boolean | undefined>
    >;
  } catch (error) {
    return refuse((error as Error).message);
  }
})();

const numberOf = (name: (typeof numeric)[number], otherwise: number, least = 0): number => {
  const value = Number(given[name] ?? otherwise);
  return Number.isFinite(value) && value >= least
    ? value
    : refuse(`--${name} must be a number of at least ${least}, not "${given[name]}".`);
};

const folder = join(import.meta.dirname, 'cost');
const read = async (file: string): Promise<unknown> => JSON.parse(await readFile(file, 'utf8'));

if (given['help'] === true) {
  process.stdout.write(help);
} else {
  const workload: Workload = {
    devices: numberOf('devices', 100),
    sessions: numberOf('sessions', 100),
    commands: numberOf('commands', 30),
    minutes: numberOf('minutes', 20),
    collectedBytes: numberOf('collected', 50 * 1024 ** 2),
    heartbeat: numberOf('heartbeat', 900, 30),
    keptMonths: numberOf('kept', 12),
    sharing: numberOf('sharing', 1, 1),
    ready: numberOf('ready', 0),
    autoscaleUnits: given['autoscale'] === undefined ? null : numberOf('autoscale', 0, 1_000),
    instanceGb: numberOf('memory', 2, 0.5),
  };
  const measured = (await read(join(folder, 'operations.json'))) as MeasuredOperations;
  const prices = (await read(String(given['prices'] ?? join(folder, 'prices.json')))) as Prices;
  process.stdout.write(`${costReport(workload, measured, prices)}\n`);
}
