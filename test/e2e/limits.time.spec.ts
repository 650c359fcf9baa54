import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { startDevice } from '../../local/device.ts';
import type { CommandResource } from '../../sdk/index.ts';
import { enrolDevices } from '../support/enrolledDevices.ts';
import { holdersOf } from '../support/openFiles.ts';
import { rawUser } from '../support/rawCalls.ts';
import { eventsOf, typesOf } from '../support/recordedEvents.ts';
import { commandEnded, eventually, inSession, openConnected, responder } from '../support/responders.ts';
import { writeSlowFile } from '../support/slowFile.ts';
import { underLimits } from '../support/tenantSettings.ts';

let folder = '';
let slow = '';

beforeAll(async () => {
  folder = await mkdtemp(join(inject('cloud').dataDir, 'limits-'));
  slow = await writeSlowFile(join(folder, 'sparse.bin'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const whenEnded = (sessionId: string): Promise<string | null> =>
  eventually('the session has ended', async () => {
    const session = await responder('ana').session(sessionId);
    return session.status === 'ended' && session.end;
  });

it('ends an idle session and gives its slot back', async () => {
  await underLimits({ idle: 2, openSessionsPerTenant: 1 }, async () => {
    const ana = responder('ana');
    const { device } = inject('cloud');
    const { sessionId } = await openConnected(ana, device.deviceId);
    const [other] = await enrolDevices(1, 'slotless');
    const user = rawUser('ben');
    const refused = await user.open(other?.deviceId ?? '');
    expect([refused.status, refused.body['code']]).toEqual([409, 'TENANT_SESSION_LIMIT']);
    expect(await whenEnded(sessionId)).toBe('Expired');
    const events = await eventsOf(ana, sessionId);
    const [requested, connected, expired] = events;
    expect(events.map(({ type }) => type)).toEqual([
      'SessionRequested',
      'SessionConnected',
      'SessionExpired',
    ]);
    expect(expired?.data).toMatchObject({ idle: 2 });
    const idleMs =
      Date.parse(expired?.metadata.recordedAt ?? '') - Date.parse(connected?.metadata.recordedAt ?? '');
    expect(idleMs).toBeGreaterThanOrEqual(2_000);
    expect(requested?.data['limits']).toMatchObject({ idle: 2 });
    const opened = await eventually('the slot is free', async () => {
      const answer = await user.open(other?.deviceId ?? '');
      return answer.status === 201 && answer;
    });
    await responder('ben').disconnect(String(opened.body['sessionId']));
  });
});

it('keeps a session awake that has an open command', async () => {
  await underLimits({ idle: 2, command: 6 }, async () => {
    const ana = responder('ana');
    const { sessionId } = await openConnected(ana, inject('cloud').device.deviceId);
    const command = await ana.issueCommand(sessionId, `fileinfo "${slow}"`, { wait: 60 });
    expect(command.state).toBe('TimedOut');
    expect(await whenEnded(sessionId)).toBe('Expired');
    const types = await typesOf(ana, sessionId);
    expect(types.slice(-2)).toEqual(['CommandTimedOut', 'SessionExpired']);
  });
});

it('gives up on a device that does not answer', async () => {
  const [silent] = await enrolDevices(1, 'silent');
  await underLimits({ connect: 2 }, async () => {
    const ana = responder('ana');
    const { sessionId } = await ana.openSession({ deviceId: silent?.deviceId ?? '', reason: 'test' });
    expect(await whenEnded(sessionId)).toBe('Unanswered');
    const events = await eventsOf(ana, sessionId);
    expect(events.map(({ type }) => type)).toEqual(['SessionRequested', 'SessionUnanswered']);
    expect(events[1]?.data).toMatchObject({ waited: 2 });
    const again = await eventually('the device is free', async () => {
      const answer = await rawUser('ana').open(silent?.deviceId ?? '');
      return answer.status === 201 && answer;
    });
    await ana.disconnect(String(again.body['sessionId']));
  });
});

it('stops a command on the device when its time is over, and leaves nothing running', async () => {
  await underLimits({ command: 4 }, async () => {
    const ana = responder('ana');
    await inSession(ana, async ({ sessionId }) => {
      const { commandId } = await ana.issueCommand(sessionId, `fileinfo "${slow}"`);
      await eventually('a process reads the file', async () => (await holdersOf(slow)).length > 0);
      const command = await commandEnded(ana, sessionId, commandId);
      expect(await holdersOf(slow)).toEqual([]);
      expect(command).toMatchObject({ state: 'TimedOut', cancelRequested: false });
      const end = (await eventsOf(ana, sessionId)).find(({ type }) => type === 'CommandTimedOut');
      expect(end?.data).toMatchObject({ commandId: command.commandId, processesGone: true });
      expect(end?.data['duration']).toBeGreaterThanOrEqual(4);
      expect(end?.data['duration']).toBeLessThan(20);
      const next = await ana.runCommand(sessionId, 'dir /');
      expect(next.state).toBe('Completed');
    });
  });
});

it('refuses one background command too many', async () => {
  await underLimits({ backgroundCommands: 2 }, async () => {
    const ana = responder('ana');
    const user = rawUser('ana');
    await inSession(ana, async ({ sessionId }) => {
      const running: CommandResource[] = [];
      for (let index = 0; index < 2; index += 1)
        running.push(await ana.issueCommand(sessionId, `fileinfo "${slow}" &`));
      const refused = await user.issue(sessionId, `fileinfo "${slow}" &`);
      expect(refused.status).toBe(409);
      expect(refused.body).toMatchObject({ code: 'BACKGROUND_LIMIT', limit: 2 });
      const foreground = await ana.issueCommand(sessionId, `fileinfo "${slow}"`);
      const moved = await user.call(
        'POST',
        `/sessions/${sessionId}/commands/${foreground.commandId}/background`,
      );
      expect([moved.status, moved.body['code']]).toEqual([409, 'BACKGROUND_LIMIT']);
      for (const { commandId } of [...running, foreground]) await ana.cancelCommand(sessionId, commandId);
      await eventually(
        'all have ended',
        async () => (await ana.session(sessionId)).openCommands.length === 0,
      );
    });
  });
});

it('collects no file above the limit, and reads no file above the other', async () => {
  const path = join(folder, 'too large.bin');
  await writeFile(path, Buffer.alloc(2_000));
  await underLimits({ collectedFile: 1_999, fileinfoFile: 1_999 }, async () => {
    const ana = responder('ana');
    await inSession(ana, async ({ sessionId }) => {
      for (const name of ['getfile', 'fileinfo']) {
        const command = await ana.issueCommand(sessionId, `${name} "${path}"`, { wait: 60 });
        expect(command).toMatchObject({ state: 'Failed', error: { code: 'FILE_TOO_LARGE' }, files: [] });
        expect(command.error?.message).toContain('1999');
      }
      expect(await ana.files(sessionId)).toEqual([]);
    });
  });
  await underLimits({ collectedFile: 2_000 }, async () => {
    const ana = responder('ana');
    await inSession(ana, async ({ sessionId }) => {
      const command = await ana.issueCommand(sessionId, `getfile "${path}"`, { wait: 60 });
      expect(command).toMatchObject({ state: 'Completed', files: [{ size: 2_000 }] });
    });
  });
});

it('declares a command lost that a frozen device does not start', { timeout: 120_000 }, async () => {
  const ana = responder('ana');
  const cloud = inject('cloud');
  const frozen = await startDevice(cloud, {
    stateDir: join(folder, 'frozen'),
    enrolmentToken: async () => (await ana.createEnrolmentToken({ uses: 1 })).token,
    name: 'frozen',
  });
  try {
    await underLimits({ startWithin: 2 }, async () => {
      const { sessionId } = await openConnected(ana, frozen.deviceId);
      frozen.kill('SIGSTOP');
      const { commandId } = await ana.issueCommand(sessionId, 'dir /');
      const lost = await eventually(
        'the command is lost',
        async () => {
          const command = await ana.command(sessionId, commandId);
          return command.state === 'Lost' && command;
        },
        60_000,
      );
      expect(lost).toMatchObject({ cancelRequested: true, startedAt: null });
      const events = await eventsOf(ana, sessionId);
      expect(events.map(({ type }) => type)).toEqual([
        'SessionRequested',
        'SessionConnected',
        'CommandIssued',
        'CommandCancelRequested',
        'CommandLost',
      ]);
      const [, , issued, cancel, end] = events;
      expect(cancel?.data).toMatchObject({ commandId, reason: 'not-started', by: 'system' });
      expect(end?.data).toMatchObject({ commandId, reason: 'NOT_STARTED' });
      const after = (event: typeof end): number =>
        Date.parse(event?.metadata.recordedAt ?? '') - Date.parse(issued?.metadata.recordedAt ?? '');
      expect(after(cancel)).toBeGreaterThanOrEqual(2_000);
      expect(after(end)).toBeGreaterThanOrEqual(12_000);
      // A lost command does not hold the foreground of a session that goes on.
      frozen.kill('SIGCONT');
      const next = await ana.issueCommand(sessionId, 'dir /', { wait: 60 });
      expect(next.state).toBe('Completed');
      expect((await ana.command(sessionId, commandId)).state).toBe('Lost');
      await ana.disconnect(sessionId);
    });
  } finally {
    frozen.kill('SIGCONT');
    await frozen.stop();
  }
});
