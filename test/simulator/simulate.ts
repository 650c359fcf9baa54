import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { trustAuthorities } from '../../agent/settings/authorities.ts';
import { enrolFleet } from './enrolFleet.ts';
import { startFleet } from './fleet.ts';
import { type Destination, runningCloud } from './runningCloud.ts';

/** `npm run simulate -- --devices N`: devices without machines, until Ctrl+C. */
const usage = `Usage: npm run simulate -- --devices N [--server URL --enrolment-token TOKEN [--ca-file FILE]]

Without --server the devices enrol in the local cloud of "npm start", which must be running. They are kept in
.local/simulator/, so that the next run is the same fleet. Each says hello, sends heartbeats and answers sessions with
the command cd.`;

const { values } = parseArgs({
  options: {
    devices: { type: 'string' },
    server: { type: 'string' },
    'enrolment-token': { type: 'string' },
    'ca-file': { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});
const wanted = Number(values.devices);
if (values.help === true || !Number.isInteger(wanted) || wanted < 1) {
  process.stderr.write(`${usage}\n`);
  process.exit(values.help === true ? 0 : 2);
}
const given = values['enrolment-token'];
if ((values.server === undefined) !== (given === undefined)) {
  process.stderr.write('--server and --enrolment-token go together.\n');
  process.exit(2);
}

const say = (text: string): void => {
  process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
};

const named = (server: string, token: string): Destination => {
  const caFile = values['ca-file'] === undefined ? null : resolve(values['ca-file']);
  if (caFile !== null) trustAuthorities(caFile);
  return { server: server.replace(/\/+$/, ''), caFile, newToken: async () => token };
};
const cloud =
  values.server === undefined || given === undefined ? await runningCloud() : named(values.server, given);
const file = join('.local', 'simulator', 'devices.json');
await mkdir(dirname(file), { recursive: true, mode: 0o700 });
let shown = 0;
const identities = await enrolFleet({
  server: cloud.server,
  devices: wanted,
  file,
  newToken: cloud.newToken,
  progress: (enrolled) => {
    if (performance.now() - shown < 1_000 && enrolled < wanted) return;
    shown = performance.now();
    say(`enrolled ${enrolled} of ${wanted}`);
  },
});
const fleet = startFleet({ identities, caFile: cloud.caFile });
const every = setInterval(
  () => {
    const { connected, heartbeats, sessions, commands, sendFaults } = fleet.counts();
    say(
      `${connected} of ${wanted} connected, ${heartbeats} heartbeats, ${sessions} sessions, ${commands} commands, ${sendFaults} failed sends`,
    );
  },
  process.stderr.isTTY ? 1_000 : 10_000,
);
const stop = async (): Promise<void> => {
  clearInterval(every);
  say('ending …\n');
  await fleet.stop();
  process.exit(0);
};
process.once('SIGINT', () => void stop()).once('SIGTERM', () => void stop());
fleet.connected.catch((error: Error) => {
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
  void stop();
});
