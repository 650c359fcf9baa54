import { readFileSync } from 'node:fs';
import { cp, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventEnvelope } from '../../domain/envelope.ts';
import type { LocalDevice } from '../../local/device.ts';
import type { SessionResource } from '../../sdk/index.ts';
import {
  type FaultCloud,
  openFaultSession,
  setLimits,
  startFaultCloud,
  whenConnected,
} from '../support/faultCloud.ts';
import { whenEnded } from '../support/faultEnds.ts';
import {
  brokerDeadLetters,
  commandFaults,
  commandOf,
  endOf,
  leakedSlots,
  listed,
  requireSoundSession,
  StoredHistory,
  storeFaults,
} from '../support/faultHistory.ts';
import { startLoad } from '../support/faultLoad.ts';
import { limitWrites, mountSmallDisk, type SmallDisk } from '../support/fullDisk.ts';
import { eventually } from '../support/responders.ts';

const hours = 3600;
const shortLimit = 4;
const wrongClocks = [6 * hours, -6 * hours] as const;

let fault: FaultCloud;
let history: StoredHistory;
let tenantId: string;
let big: string;
let disk: SmallDisk | undefined;
const devices: LocalDevice[] = [];
const clockSessions: {
  readonly seconds: number;
  readonly device: LocalDevice;
  readonly sessionId: string;
}[] = [];

const add = async (...given: Parameters<FaultCloud['addDevice']>): Promise<LocalDevice> => {
  const device = await fault.addDevice(...given);
  devices.push(device);
  return device;
};

// All of it happens to a backend whose two app processes do not agree about the time.
beforeAll(async () => {
  fault = await startFaultCloud('surroundings', { appClockSkewSeconds: [0, 2] });
  history = new StoredHistory(fault.cloud);
  tenantId = fault.cloud.tenants[0]?.id ?? '';
  big = join(fault.cloud.dataDir, 'big.bin');
  await writeFile(big, '');
  await truncate(big, 25 * 1024 ** 3);
  // Only the sessions of the wrong clocks have the short limit.
  await setLimits(fault.cloud, { command: shortLimit });
  const shift = pathToFileURL(join(import.meta.dirname, '..', 'support', 'shiftedClock.ts')).href;
  await Promise.all(
    wrongClocks.map(async (seconds) => {
      const device = await add(`clock${seconds}`, {
        nodeArguments: ['--import', `${shift}?seconds=${seconds}`],
      });
      const { sessionId } = await openFaultSession(fault.client, device.deviceId);
      clockSessions.push({ seconds, device, sessionId });
    }),
  );
  await setLimits(fault.cloud, { command: 600 });
}, 240_000);
afterAll(async () => {
  await Promise.all(devices.map((device) => device.stop()));
  disk?.remove();
  history?.close();
  await fault?.stop();
});

const eventsOf = (sessionId: string) => history.session(tenantId, sessionId);
const run = (sessionId: string, line: string) => fault.client.issueCommand(sessionId, line, { wait: 60 });
const logOf = ({ stateDir }: LocalDevice): string => readFileSync(join(stateDir, 'agent.log'), 'utf8');

/** Starts what does not end by itself. */
const startLong = async (sessionId: string): Promise<string> => {
  const { commandId } = await fault.client.issueCommand(sessionId, `fileinfo "${big}" &`);
  await eventually(
    'the command has started',
    async () => (await fault.client.command(sessionId, commandId)).startedAt !== null,
    60_000,
  );
  return commandId;
};

const requireSound = async (
  sessionId: string,
  accepted: readonly string[],
): Promise<readonly EventEnvelope[]> => {
  await whenEnded(fault.client, sessionId, 0, accepted);
  const events = await eventsOf(sessionId);
  requireSoundSession(events, { accepted, executions: fault.executions() });
  return events;
};

describe.concurrent('where the surroundings are wrong', () => {
  it('a full disk: what was accepted ends, what is new is refused with the reason, and room is all it takes', async ({
    skip,
  }) => {
    const folder = join(fault.cloud.dataDir, 'small-disk');
    disk = mountSmallDisk(folder, 12);
    if (disk === undefined) return skip('this process may not mount a file system');
    const logFile = join(fault.cloud.dataDir, 'small-disk.log');
    const device = await add('small-disk', { stateDir: join(folder, 'state'), logFile });
    const { sessionId } = await openFaultSession(fault.client, device.deviceId);
    const accepted = [await startLong(sessionId)];
    const [long = ''] = accepted;
    const issue = async () => {
      const command = await run(sessionId, 'dir / &');
      accepted.push(command.commandId);
      return command;
    };
    disk.fill();
    // What the journal's file has room for is still run.
    const refused = await eventually(
      'a command is refused',
      async () => {
        const command = await issue();
        return command.state !== 'Completed' && command;
      },
      90_000,
    );
    expect(refused).toMatchObject({ state: 'Failed', error: { code: 'DEVICE_DISK_FULL' } });
    await fault.client.cancelCommand(sessionId, long);
    await whenEnded(fault.client, sessionId, 0, [long]);
    const before = device.pid();
    expect(await issue()).toMatchObject({ state: 'Failed', error: { code: 'DEVICE_DISK_FULL' } });
    expect(device.pid()).toBe(before);

    disk.makeRoom();
    expect(await issue()).toMatchObject({ state: 'Completed' });
    await fault.client.disconnect(sessionId);
    const events = await requireSound(sessionId, accepted);
    expect(endOf(events, long), listed(events)).toBe('Cancelled');
    for (const commandId of accepted.filter((id) => endOf(events, id) === 'Failed'))
      expect(fault.executions()).not.toContain(commandId);
    expect(readFileSync(logFile, 'utf8')).toContain('its reserve is used');
  });

  it('nothing can be written at all: no end is lost, nothing runs that is not remembered', async () => {
    const device = await add('write-limit');
    const { sessionId } = await openFaultSession(fault.client, device.deviceId);
    const long = await startLong(sessionId);
    limitWrites(device.pid(), 'everything');
    const { commandId: waiting } = await fault.client.issueCommand(sessionId, 'dir / &');
    await eventually('the device says so', async () =>
      logOf(device).includes('command.execute waits until there is room'),
    );
    expect(fault.executions()).not.toContain(waiting);
    limitWrites(device.pid(), 'none');
    await whenEnded(fault.client, sessionId, 0, [waiting]);
    await fault.client.cancelCommand(sessionId, long);
    const { commandId: last } = await run(sessionId, 'dir / &');
    const events = await requireSound(sessionId, [long, waiting, last]);
    expect(
      [long, waiting, last].map((id) => endOf(events, id)),
      listed(events),
    ).toEqual(['Cancelled', 'Completed', 'Completed']);
    await fault.client.disconnect(sessionId);
  });

  it('a journal that was set back: what runs again is on record, and the session does not go on', async () => {
    const device = await add('set-back', {
      environment: { LIVE_RESPONSE_CRASH_POINT: 'after-journal-before-spawn' },
    });
    const { sessionId } = await openFaultSession(fault.client, device.deviceId);
    // The agent dies with the command in its journal, not yet begun: the worst moment to copy it.
    const { commandId } = await fault.client.issueCommand(sessionId, 'dir / &');
    await device.gone();
    const copy = join(fault.cloud.dataDir, 'older-copy');
    await cp(device.stateDir, copy, { recursive: true });
    await device.restart();
    await whenEnded(fault.client, sessionId, 0, [commandId]);
    const { commandId: after } = await run(sessionId, 'dir / &');
    const before = await eventsOf(sessionId);
    expect(
      [commandId, after].map((id) => endOf(before, id)),
      listed(before),
    ).toEqual(['Completed', 'Completed']);

    device.kill('SIGTERM');
    await device.gone();
    await rm(device.stateDir, { recursive: true });
    await cp(copy, device.stateDir, { recursive: true });
    await device.restart();
    const ended = await eventually('the session has ended', async () => {
      const session = await fault.client.session(sessionId);
      return session.status === 'ended' && session;
    });
    expect(ended.end).toBe('Lost');
    const events = await eventsOf(sessionId);
    const added = events
      .slice(before.length)
      .map(({ type, data }) => ({ type, reason: 'reason' in data && data.reason }));
    expect(added, listed(events)).toContainEqual({ type: 'SequenceReused', reason: false });
    expect(added).toContainEqual({ type: 'SessionLost', reason: 'SEQUENCE_REUSED' });
    // Only what the restored copy knew as not begun may run again; what it never knew does not.
    const known = { accepted: [commandId, after], executions: fault.executions() };
    expect(commandFaults(events, known).filter((found) => found.commandId !== commandId)).toEqual([]);
    expect(fault.executions().filter((id) => id === after)).toHaveLength(1);

    const next = await openFaultSession(fault.client, device.deviceId);
    const { commandId: last } = await run(next.sessionId, 'dir /');
    const sound = await requireSound(next.sessionId, [last]);
    expect(endOf(sound, last)).toBe('Completed');
    await fault.client.disconnect(next.sessionId);
  });

  it.for(wrongClocks)('a device whose clock is wrong by %i s: everything works, on time', async (seconds) => {
    const { device, sessionId } = clockSessions.find((session) => session.seconds === seconds) ?? {};
    if (device === undefined || sessionId === undefined) throw new Error('There is no such session.');
    const quick = await run(sessionId, 'dir /');
    const long = await run(sessionId, 'dir /usr/bin');
    const limited = await run(sessionId, `fileinfo "${big}"`);
    expect([quick.state, long.state, limited.state]).toEqual(['Completed', 'Completed', 'TimedOut']);
    device.kill('SIGTERM');
    await device.gone();
    await device.restart();
    await whenConnected(fault.client, sessionId);
    const again = await run(sessionId, 'dir /');
    expect(again.state).toBe('Completed');
    await fault.client.disconnect(sessionId);
    const events = await requireSound(
      sessionId,
      [quick, long, limited, again].map(({ commandId }) => commandId),
    );
    const now = Date.now();
    for (const { metadata, type, data } of events) {
      expect(Math.abs(Date.parse(metadata.recordedAt) - now), type).toBeLessThan(0.5 * hours * 1000);
      if (type !== 'CommandStarted') continue;
      const deviceTime = Date.parse(String((data as { readonly deviceTime?: unknown }).deviceTime));
      expect(deviceTime - Date.parse(metadata.recordedAt)).toBeGreaterThan((seconds - 0.5 * hours) * 1000);
      expect(deviceTime - Date.parse(metadata.recordedAt)).toBeLessThan((seconds + 0.5 * hours) * 1000);
    }
    const timed = events.filter((event) => commandOf(event) === limited.commandId);
    const at = (wanted: string) =>
      Date.parse(timed.find(({ type }) => type === wanted)?.metadata.recordedAt ?? '');
    expect(at('CommandTimedOut') - at('CommandIssued')).toBeGreaterThan((shortLimit - 2.5) * 1000);
    // It learns the right time from the first answers and is believed after that.
    expect(logOf(device)).not.toMatch(/no connection|was not renewed/);
  });

  it('app processes whose clocks are 2 s apart: a load completes', async () => {
    const session: SessionResource = await openFaultSession(fault.client, fault.device.deviceId);
    const load = startLoad(fault.client, session.sessionId, { lines: ['dir /', 'dir /etc'] });
    await eventually('enough was issued', async () => load.accepted.size >= 20, 120_000);
    await load.stop();
    expect(load.unanswered).toEqual(new Map());
    const events = await requireSound(session.sessionId, [...load.accepted]);
    expect(new Set([...load.accepted].map((id) => endOf(events, id)))).toEqual(new Set(['Completed']));
    await fault.client.disconnect(session.sessionId);
  });
});

describe('after all of it', () => {
  it('the store is in order, and its time never went backwards', async () => {
    const streams = await eventually('all slots are given back', async () => {
      const now = await history.streams();
      return leakedSlots(now).length === 0 && now;
    });
    expect(storeFaults(streams)).toEqual([]);
    const backwards = streams.flatMap(({ streamId, events }) =>
      events.flatMap(({ version, metadata: { recordedAt } }, index) =>
        index > 0 && recordedAt < (events[index - 1]?.metadata.recordedAt ?? '')
          ? [`${streamId} ${version}`]
          : [],
      ),
    );
    expect(backwards).toEqual([]);
    expect(await history.deadLetters()).toEqual([]);
    for (const { deviceId } of [fault.device, ...devices])
      expect(await brokerDeadLetters(fault.cloud, deviceId)).toEqual([]);
  });
});
