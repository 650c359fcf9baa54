import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { trustAuthorities } from '../../agent/settings/authorities.ts';
import { userToken } from '../../local/accessTokens.ts';
import { startCloud } from '../../local/cloud.ts';
import { LiveResponseClient } from '../../sdk/index.ts';
import { enrolFleet } from '../simulator/enrolFleet.ts';
import { type Fleet, startFleet } from '../simulator/fleet.ts';
import { load, machine, processorTime, residentMemory } from './machine.ts';
import { type BenchSession, openSession } from './roundTrips.ts';
import { milliseconds, percentile, table } from './statistics.ts';

/** Round trips of many live sessions in two tenants, alone and beside a fleet of heartbeating devices, in one run. */
const root = join(import.meta.dirname, '..', '..');
const dataDir = join(root, '.local', `scale-${process.pid}`);
const sessionsPerTenant = Number(process.env['SCALE_SESSIONS'] ?? 40) / 2;
const fleetSize = Number(process.env['SCALE_DEVICES'] ?? 2_000);
const seconds = Number(process.env['SCALE_SECONDS'] ?? 60);
/** Seconds between two commands of a session: a responder reads what came before giving the next. */
const pace = 4;
const heartbeatSeconds = Number(process.env['SCALE_HEARTBEAT'] ?? 60);
const allowedRatio = 2;
/** Settings that differ from the usual ones, as they were typed. */
const given = Object.entries(process.env)
  .filter(([name]) => name.startsWith('SCALE_'))
  .map(([name, value]) => `${name}=${value} `)
  .sort()
  .join('');
const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Every session gives a command each `pace` seconds, at its own moment. Milliseconds of each round trip. */
const measure = async (sessions: readonly BenchSession[]): Promise<readonly number[]> => {
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  await Promise.all(
    sessions.map(async (session, index) => {
      await pause((index / sessions.length) * pace * 1000);
      while (performance.now() < until) {
        const took = await session.roundTrip('cd /');
        times.push(took);
        await pause(Math.max(0, pace * 1000 - took));
      }
    }),
  );
  return times;
};

await mkdir(dataDir, { recursive: true });
const cloud = await startCloud({ dataDir, heartbeatSeconds });
const fleets: Fleet[] = [];
try {
  const { caFile, url: server } = cloud;
  trustAuthorities(caFile);
  const clients = [
    new LiveResponseClient({ server, token: userToken(cloud, 'cleo') }),
    new LiveResponseClient({ server, token: userToken(cloud, 'eve', 'fabrikam') }),
  ];
  const processes: readonly (readonly [string, number])[] = [
    ...Object.values(cloud.parts).map((part) => [part.name, part.pid] as const),
    ...cloud.parts.host.endpoints.appProcesses.map(
      (pid, index) => [`app process ${index + 1}`, pid] as const,
    ),
  ];
  const fleetOf = async (client: LiveResponseClient, name: string, devices: number) => {
    const identities = await enrolFleet({
      server,
      devices,
      file: join(dataDir, `${name}.json`),
      prefix: name,
      newToken: async (uses) => (await client.createEnrolmentToken({ uses })).token,
      progress: (enrolled) => {
        if (enrolled % 100 === 0) say(`${name}: ${enrolled} of ${devices} enrolled`);
      },
    });
    const fleet = startFleet({ identities, caFile });
    fleets.push(fleet);
    await fleet.connected;
    return { identities, fleet };
  };

  const sessions: BenchSession[] = [];
  for (const [index, client] of clients.entries()) {
    await client.changeSettings({
      limits: { openSessionsPerTenant: sessionsPerTenant, openSessionsPerUser: sessionsPerTenant },
    });
    const { identities } = await fleetOf(client, `live-${index}`, sessionsPerTenant);
    for (const { deviceId } of identities) sessions.push(await openSession(client, deviceId));
  }
  say(`${sessions.length} sessions are open; warming up`);
  await Promise.all(sessions.map((session) => session.roundTrip('cd /')));

  const phase = async (name: string) => {
    const spent = () => processes.map(([, pid]) => processorTime(pid));
    const before = spent();
    const began = performance.now();
    const times = await measure(sessions);
    const elapsed = (performance.now() - began) / 1000;
    const after = spent();
    say(`${name}: p99 ${milliseconds(percentile(times, 0.99))} ms, load ${load()}`);
    return { name, times, cores: after.map((end, index) => (end - (before[index] ?? 0)) / elapsed) };
  };
  const quiet = await phase('quiet');
  const { fleet } = await fleetOf(clients[0] as LiveResponseClient, 'fleet', fleetSize);
  const heartbeatsBefore = fleet.counts().heartbeats;
  const loaded = await phase(`${fleetSize} devices heartbeat`);
  const { heartbeats, connected, sendFaults } = fleet.counts();
  const beats = heartbeats - heartbeatsBefore;
  if (beats === 0) throw new Error('No device sent a heartbeat: the loaded run measured nothing.');

  const p99 = (times: readonly number[]): number => percentile(times, 0.99);
  const ratio = p99(loaded.times) / p99(quiet.times);
  const text = `# Scale

Made by \`${given}npm run bench:scale\` on ${new Date().toISOString()}: ${machine()}. Cloud, ${sessions.length} sessions in two tenants and the simulated
fleet share this machine; compare the rows of one run.

Every session gives the command \`cd /\` each ${pace} s for ${seconds} s. Milliseconds from before the \`POST\` to the terminal event.

${table(
  ['run', 'commands', 'p50', 'p95', 'p99'],
  [quiet, loaded].map(({ name, times }) => [
    name,
    times.length,
    ...[0.5, 0.95, 0.99].map((share) => milliseconds(percentile(times, share))),
  ]),
)}

p99 is ${ratio.toFixed(2)} times that of the quiet run (aim: at most ${allowedRatio}). ${connected} devices connected; ${beats} heartbeats in the loaded run
(one each ${heartbeatSeconds} s); ${sendFaults} sends failed.

${table(
  ['process', 'cores, quiet', 'cores, loaded', 'resident MiB'],
  processes.map(([name, pid], index) => [
    name,
    (quiet.cores[index] ?? 0).toFixed(2),
    (loaded.cores[index] ?? 0).toFixed(2),
    Math.round(residentMemory(pid) / 1024 ** 2),
  ]),
)}
`;
  await writeFile(join(root, 'docs', 'benchmarks-scale.md'), text);
  say(text);
  if (ratio > allowedRatio) process.exitCode = 1;
  await Promise.all(sessions.map((session) => session.close()));
} finally {
  await Promise.all(fleets.map((fleet) => fleet.stop()));
  await cloud.stop();
  await rm(dataDir, { recursive: true, force: true });
}
