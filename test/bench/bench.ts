import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import tls from 'node:tls';
import { userToken } from '../../local/accessTokens.ts';
import { startCloud } from '../../local/cloud.ts';
import { type LocalDevice, startDevice } from '../../local/device.ts';
import { storeControl } from '../../local/cosmos/storeControl.ts';
import { LiveResponseClient } from '../../sdk/index.ts';
import { durableBetween, invocationsBetween, readHostCounters } from './hostCounters.ts';
import { familyOf, load, machine, processorTime, residentMemory } from './machine.ts';
import { openSession } from './roundTrips.ts';
import { milliseconds, percentile, table } from './statistics.ts';

/** Measures the system that `npm start` runs: two app processes, stores that survive a power cut, real agents. */
const root = join(import.meta.dirname, '..', '..');
const dataDir = join(root, '.local', `bench-${process.pid}`);
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 200);
const idleSeconds = 10;
const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** What the commands of a session left in its stream, per command. */
const storedPerCommand = async (client: LiveResponseClient, sessionId: string) => {
  let [commands, events, bytes, signed] = [0, 0, 0, 0];
  const appends = new Set<string>();
  for await (const event of client.recordedEvents(sessionId)) {
    if (event.data['commandId'] === undefined) continue;
    events += 1;
    bytes += Buffer.byteLength(JSON.stringify(event));
    appends.add(event.metadata.causationId);
    if (event.type === 'CommandIssued') commands += 1;
    if (typeof event.data['signed'] === 'string') signed += 1;
  }
  return {
    appends: appends.size / commands,
    events: events / commands,
    bytes: bytes / commands,
    signed: signed / commands,
  };
};

const sections: string[] = [];
const section = (title: string, ...body: readonly string[]): void => {
  sections.push(`## ${title}\n\n${body.join('\n\n')}`);
  say(`\n${title}\n${body.join('\n')}`);
};

const devices: LocalDevice[] = [];
await mkdir(dataDir, { recursive: true });
const began = performance.now();
const cloud = await startCloud({ dataDir });
try {
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), await readFile(cloud.caFile, 'utf8')]);
  const client = new LiveResponseClient({ server: cloud.url, token: userToken(cloud, 'ana') });
  const addDevice = async (): Promise<LocalDevice> => {
    const device = await startDevice(cloud, {
      stateDir: join(dataDir, `device-${devices.length}`),
      enrolmentToken: async () => (await client.createEnrolmentToken({ uses: 1 })).token,
      name: `bench-${devices.length}`,
    });
    devices.push(device);
    return device;
  };
  const first = await addDevice();
  const readyAfter = (performance.now() - began) / 1000;
  say(`ready after ${readyAfter.toFixed(1)} s, load ${load()}`);

  // ---- one session
  const session = await openSession(client, first.deviceId);
  for (let warm = 0; warm < 20; warm += 1) await session.roundTrip('cd /');
  await storeControl(cloud.cosmos).resetCounters();
  const before = await readHostCounters(cloud);
  const one: number[] = [];
  for (let round = 0; round < rounds; round += 1) one.push(await session.roundTrip('cd /'));
  const counters = await storeControl(cloud.cosmos).counters();
  const after = await readHostCounters(cloud);
  const perCommand = await storedPerCommand(client, session.sessionId);
  await session.close();

  // ---- ten sessions
  while (devices.length < 10) await addDevice();
  const sessions = await Promise.all(devices.map((device) => openSession(client, device.deviceId)));
  await Promise.all(sessions.map((open) => open.roundTrip('cd /')));
  const ten: number[] = [];
  const tenBegan = performance.now();
  await Promise.all(
    sessions.map(async (open) => {
      for (let round = 0; round < Math.ceil(rounds / 5); round += 1) ten.push(await open.roundTrip('cd /'));
    }),
  );
  const tenSeconds = (performance.now() - tenBegan) / 1000;
  await Promise.all(sessions.map((open) => open.close()));
  const row = (name: string, values: readonly number[]) => [
    name,
    values.length,
    ...[0.5, 0.95, 0.99].map((share) => milliseconds(percentile(values, share))),
  ];
  section(
    'Round trip of a trivial command',
    'Milliseconds from before the `POST` of `cd /` to its terminal event over server-sent events. Two app processes; the agents run on the same machine.',
    table(['sessions', 'commands', 'p50', 'p95', 'p99'], [row('1', one), row('10 at once', ten)]),
    `Ten sessions together: ${(ten.length / tenSeconds).toFixed(1)} commands per second.`,
  );

  section(
    'Cost of one small command',
    `From ${rounds} commands in one session that is being followed. Requests to Cosmos DB as the stand-in counts and estimates them; looks at an unchanged head and at the change feed depend on time, not on commands.`,
    table(
      ['request', 'per command', 'request units per command'],
      Object.entries(counters)
        .sort(([, a], [, b]) => b.requestUnits - a.requestUnits)
        .map(([kind, { count, requestUnits }]) => [
          kind,
          (count / rounds).toFixed(2),
          (requestUnits / rounds).toFixed(2),
        ]),
    ),
    table(
      ['other', 'per command'],
      [
        ['appends', perCommand.appends.toFixed(2)],
        ['events', perCommand.events.toFixed(2)],
        ['bytes of events', Math.round(perCommand.bytes)],
        [
          'Service Bus messages up (handled by the host)',
          (invocationsBetween(before, after, 'receiveSessionMessage') / rounds).toFixed(2),
        ],
        ['Service Bus messages down (signed commands)', perCommand.signed.toFixed(2)],
        ['orchestration steps', (durableBetween(before, after, 'orchestrationSteps') / rounds).toFixed(2)],
        ['activities', (durableBetween(before, after, 'activities') / rounds).toFixed(2)],
      ],
    ),
    'Each message is three operations of the broker: send, receive, complete. The durable steps are those of the supervisor, which sleeps and wakes by time, not by command.',
  );

  // ---- at rest
  for (const device of devices.splice(1)) await device.stop();
  await pause(3_000);
  const named: [string, number][] = [
    ...Object.values(cloud.parts).map((part): [string, number] => [part.name, part.pid]),
    ...cloud.parts.host.endpoints.appProcesses.map((pid, index): [string, number] => [
      `app process ${index + 1}`,
      pid,
    ]),
    ['agent', first.pid()],
  ];
  const spent = () => named.map(([, pid]) => processorTime(pid));
  const start = spent();
  await pause(idleSeconds * 1000);
  const end = spent();
  section(
    'At rest',
    `From nothing to ready (cloud started, device enrolled and listening): ${readyAfter.toFixed(1)} s.`,
    table(
      ['process', 'resident MiB', 'processor %'],
      named.map(([name, pid], index) => [
        name,
        Math.round(residentMemory(pid) / 1024 ** 2),
        (((end[index] ?? 0) - (start[index] ?? 0)) * (100 / idleSeconds)).toFixed(1),
      ]),
    ),
    `Processes of the agent without a session: ${familyOf(first.pid()).length}.`,
  );

  const text = `# Benchmarks\n\nMade by \`npm run bench\` on ${new Date().toISOString()}: ${machine()}, load average ${load()} at the end. Machines are noisy: compare figures of one run.\n\n${sections.join('\n\n')}\n`;
  await writeFile(join(root, 'docs', 'benchmarks.md'), text);
  say('\ndocs/benchmarks.md was written.');
} finally {
  for (const device of devices) await device.stop();
  await cloud.stop();
  await rm(dataDir, { recursive: true, force: true });
}
