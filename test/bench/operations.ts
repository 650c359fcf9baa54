import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import tls from 'node:tls';
import { userToken } from '../../local/accessTokens.ts';
import { type Cloud, startCloud } from '../../local/cloud.ts';
import { startDevice } from '../../local/device.ts';
import { storeControl } from '../../local/cosmos/storeControl.ts';
import { LiveResponseClient } from '../../sdk/index.ts';
import type { MeasuredOperations, Usage } from '../../scripts/cost/usage.ts';
import { durableBetween, invocationsBetween, readHostCounters } from './hostCounters.ts';
import { machine } from './machine.ts';
import { openSession } from './roundTrips.ts';

/** Measures what a session, a command, a heartbeat and a second of rest use: the input of the cost model. */
const root = join(import.meta.dirname, '..', '..');
const dataDir = join(root, '.local', `operations-${process.pid}`);
const sessions = 20;
const commands = 200;
/** Whole minutes: the timers run once in each. */
const restSeconds = 120;
const followedSeconds = 60;
/** As deployed; a local cloud looks more often, for people who wait. */
const settings = { FEED_POLL_MS: '1000' };
/** Down: what a session and a command send to the device. The host counts only what comes up. */
const messagesDown = { session: 2, command: 1 };

type Timed = Usage & { readonly seconds: number };

const usageOf = async (
  cloud: Cloud,
  what: string,
  act: () => Promise<unknown>,
  messagesDownInAll = 0,
): Promise<Timed> => {
  process.stderr.write(`${what} …\n`);
  await storeControl(cloud.cosmos).resetCounters();
  const before = await readHostCounters(cloud);
  const began = performance.now();
  await act();
  const seconds = (performance.now() - began) / 1000;
  const after = await readHostCounters(cloud);
  const requestUnits = Object.values(await storeControl(cloud.cosmos).counters()).reduce(
    (sum, counter) => sum + counter.requestUnits,
    0,
  );
  return {
    seconds,
    requestUnits,
    executions: invocationsBetween(before, after),
    messages: invocationsBetween(before, after, 'receive') + messagesDownInAll,
    durableActions:
      durableBetween(before, after, 'orchestrationSteps') + durableBetween(before, after, 'activities'),
  };
};

/** The usage of one of `count`, without what the time alone would have used. Noise may not become a gain. */
const each = (usage: Timed, count: number, ...perSecond: readonly Usage[]): Usage => {
  const of = (key: keyof Usage): number => {
    const byTime = perSecond.reduce((sum, rest) => sum + rest[key], 0) * usage.seconds;
    return Number(Math.max(0, (usage[key] - byTime) / count).toPrecision(4));
  };
  return {
    requestUnits: of('requestUnits'),
    executions: of('executions'),
    messages: of('messages'),
    durableActions: of('durableActions'),
  };
};

const inCloud = async <Result>(
  heartbeatSeconds: number,
  measure: (cloud: Cloud, client: LiveResponseClient, deviceId: string) => Promise<Result>,
): Promise<Result> => {
  const folder = join(dataDir, `every-${heartbeatSeconds}-s`);
  await mkdir(folder, { recursive: true });
  const cloud = await startCloud({ dataDir: folder, heartbeatSeconds, settings });
  try {
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), await readFile(cloud.caFile, 'utf8')]);
    const client = new LiveResponseClient({ server: cloud.url, token: userToken(cloud, 'ana') });
    const device = await startDevice(cloud, {
      stateDir: join(folder, 'device'),
      enrolmentToken: async () => (await client.createEnrolmentToken({ uses: 1 })).token,
      name: 'measured',
    });
    try {
      await pause(5_000);
      return await measure(cloud, client, device.deviceId);
    } finally {
      await device.stop();
    }
  } finally {
    await cloud.stop();
  }
};

/** Opens a session as the terminal client does, and closes it when the device has answered. */
const openAndClose = async (client: LiveResponseClient, deviceId: string): Promise<void> => {
  const { sessionId } = await client.openSession({ deviceId, reason: 'measured' });
  for await (const { type } of client.events(sessionId))
    if (type === 'SessionConnected') await client.disconnect(sessionId);
};

const storedBytesPerCommand = async (client: LiveResponseClient, sessionId: string): Promise<number> => {
  let bytes = 0;
  for await (const event of client.recordedEvents(sessionId))
    if (event.data['commandId'] !== undefined) bytes += Buffer.byteLength(JSON.stringify(event));
  return Math.round(bytes / commands);
};

try {
  const measured = await inCloud(900, async (cloud, client, deviceId) => {
    const rest = await usageOf(cloud, `at rest for ${restSeconds} s`, () => pause(restSeconds * 1000));
    const idleSecond = each(rest, rest.seconds);
    const opened = await usageOf(
      cloud,
      `${sessions} sessions`,
      async () => {
        for (let count = 0; count < sessions; count += 1) await openAndClose(client, deviceId);
      },
      sessions * messagesDown.session,
    );
    const session = await openSession(client, deviceId);
    const followed = await usageOf(cloud, `followed for ${followedSeconds} s`, () =>
      pause(followedSeconds * 1000),
    );
    const followedSecond = each(followed, followed.seconds, idleSecond);
    const issued = await usageOf(
      cloud,
      `${commands} commands`,
      async () => {
        for (let count = 0; count < commands; count += 1) await session.roundTrip('dir /etc/ssl');
      },
      commands * messagesDown.command,
    );
    const storedBytes = await storedBytesPerCommand(client, session.sessionId);
    await session.close();
    return {
      idleSecond,
      session: each(opened, sessions, idleSecond),
      followedSecond,
      command: { ...each(issued, commands, idleSecond, followedSecond), storedBytes },
    };
  });
  const heartbeat = await inCloud(1, async (cloud) => {
    const beaten = await usageOf(cloud, 'heartbeats', () => pause(60_000));
    return each(beaten, beaten.messages, measured.idleSecond);
  });
  const operations: MeasuredOperations = {
    measuredAt: new Date().toISOString(),
    machine: machine(),
    ...measured,
    heartbeat,
  };
  const text = `${JSON.stringify(operations, null, 2)}\n`;
  await writeFile(join(root, 'scripts', 'cost', 'operations.json'), text);
  process.stderr.write(`${text}scripts/cost/operations.json was written.\n`);
} finally {
  await rm(dataDir, { recursive: true, force: true });
}
