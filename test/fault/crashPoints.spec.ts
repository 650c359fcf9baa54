import { randomUUID } from 'node:crypto';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CrashPointName } from '../../agent/crashPoint.ts';
import type { EventEnvelope } from '../../domain/envelope.ts';
import type { CrashPoint } from '../../functions/streams/decideAndAppend.ts';
import type { SessionResource } from '../../sdk/index.ts';
import { type FaultCloud, setLimits, startFaultCloud, whenConnected } from '../support/faultCloud.ts';
import { settled, whenEnded } from '../support/faultEnds.ts';
import {
  commandOf,
  endOf,
  leakedSlots,
  listed,
  requireSoundSession,
  StoredHistory,
  slotHolders,
  storeFaults,
} from '../support/faultHistory.ts';
import { orphansOf, processesOfCommands, workersOf } from '../support/faultProcesses.ts';
import { eventually } from '../support/responders.ts';

let fault: FaultCloud;
let history: StoredHistory;
let tenantId: string;
let session: SessionResource | undefined;

beforeAll(async () => {
  fault = await startFaultCloud('crash-points');
  history = new StoredHistory(fault.cloud);
  tenantId = fault.cloud.tenants[0]?.id ?? '';
});
afterAll(async () => {
  history?.close();
  await fault?.stop();
});

const liveSession = async (): Promise<SessionResource> => {
  if (session !== undefined) {
    const current = await fault.client.session(session.sessionId);
    if (current.status === 'connected') return current;
  }
  session = await fault.openSession();
  return session;
};

const endSession = async (): Promise<void> => {
  if (session !== undefined) {
    const { sessionId } = session;
    session = undefined;
    // It shows that the session works, and that everything the agent had to say before was heard.
    expect(await fault.client.issueCommand(sessionId, 'dir /', { wait: 60 })).toMatchObject({
      state: 'Completed',
    });
    await fault.client.disconnect(sessionId);
  }
  await eventually('no slot is held', async () => slotHolders(await history.streams()).length === 0);
};

const eventsOf = (sessionId: string) => history.session(tenantId, sessionId);
const runsOf = (commandId: string): number => fault.executions().filter((id) => id === commandId).length;
const ofType = (events: readonly EventEnvelope[], type: string, commandId?: string) =>
  events.filter(
    (event) => event.type === type && (commandId === undefined || commandOf(event) === commandId),
  );

/** What must be true of a command that ended like this, and stay true when its request comes again. */
const expectEnd = async (
  sessionId: string,
  command: { readonly commandId: string; readonly line: string },
  state: 'Completed' | 'Lost',
): Promise<void> => {
  const { commandId, line } = command;
  const events = await eventsOf(sessionId);
  requireSoundSession(events, { accepted: [commandId], executions: fault.executions() });
  expect(endOf(events, commandId), listed(events.slice(-30))).toBe(state);
  expect(runsOf(commandId)).toBe(1);
  const again = await fault.client.issueCommand(sessionId, line, { idempotencyKey: commandId });
  expect(again).toMatchObject({ commandId, state });
  const after = await eventsOf(sessionId);
  const concerning = (all: readonly EventEnvelope[]) =>
    all.filter((event) => commandOf(event) === commandId).map(({ type }) => type);
  expect(concerning(after), 'a repeated request adds nothing').toEqual(concerning(events));
  const left = () =>
    Promise.resolve([...processesOfCommands(fault.device.stateDir, [commandId]), ...orphansOf(fault.mark)]);
  expect(await settled(left)).toEqual([]);
};

describe('an app process dies between two effects', () => {
  const diesAt = async (point: CrashPoint, act: () => Promise<unknown>): Promise<void> => {
    fault.armApp(point);
    await act();
    await eventually(`an app process dies at ${point}`, async () => !fault.isAppArmed());
  };

  it.each([['command-appended'], ['command-published']] as const)(
    '%s: the command runs once, although nobody asks again',
    async (point) => {
      const { sessionId, version } = await liveSession();
      const command = { commandId: randomUUID(), line: 'dir /' };
      await diesAt(point, () =>
        expect(
          fault.hastyClient.issueCommand(sessionId, command.line, { idempotencyKey: command.commandId }),
        ).rejects.toThrow(),
      );
      await whenEnded(fault.client, sessionId, version, [command.commandId]);
      await expectEnd(sessionId, command, 'Completed');
    },
  );

  it.each([['command-appended'], ['command-published']] as const)(
    '%s: the command runs once when the client asks again at once',
    async (point) => {
      const { sessionId, version } = await liveSession();
      const command = { commandId: randomUUID(), line: 'dir /etc' };
      await diesAt(point, async () => {
        const answer = await fault.client.issueCommand(sessionId, command.line, {
          idempotencyKey: command.commandId,
        });
        expect(answer.commandId).toBe(command.commandId);
      });
      await whenEnded(fault.client, sessionId, version, [command.commandId]);
      await expectEnd(sessionId, command, 'Completed');
    },
  );

  it('message-appended: a device message that is delivered again is applied once', async () => {
    const { sessionId, version } = await liveSession();
    const command = { commandId: randomUUID(), line: `fileinfo "${fault.files.sparse}"` };
    await diesAt('message-appended', () =>
      fault.client.issueCommand(sessionId, command.line, { idempotencyKey: command.commandId }),
    );
    await whenEnded(fault.client, sessionId, version, [command.commandId]);
    await expectEnd(sessionId, command, 'Completed');
    const events = await eventsOf(sessionId);
    expect(ofType(events, 'CommandStarted', command.commandId)).toHaveLength(1);
    expect(ofType(events, 'CommandOutputRecorded', command.commandId)).toHaveLength(1);
    expect(ofType(events, 'SequenceReused')).toEqual([]);
    expect(ofType(events, 'SequenceGapRecorded')).toEqual([]);
    expect(await history.deadLetters()).toEqual([]);
  });

  it('slot-taken: the slot waits for its opener, who gets it by asking again', async () => {
    await endSession();
    const request = { deviceId: fault.device.deviceId, reason: 'its opener dies' };
    const sessionId = randomUUID();
    await diesAt('slot-taken', () =>
      expect(fault.hastyClient.openSession(request, { idempotencyKey: sessionId })).rejects.toThrow(),
    );
    const held = await history.streams();
    expect(slotHolders(held)).toEqual([sessionId]);
    expect(held.map(({ streamId }) => streamId)).not.toContain(`session-${sessionId}`);
    await expect(fault.client.openSession(request)).rejects.toMatchObject({ code: 'DEVICE_SESSION_LIMIT' });
    // It is younger than two minutes: its opener may still be on the way.
    await fault.fireTimer('reconcile');
    expect(slotHolders(await history.streams())).toEqual([sessionId]);

    await fault.client.openSession(request, { idempotencyKey: sessionId });
    session = await whenConnected(fault.client, sessionId);
    const slotEvents = (await history.streams())
      .filter(({ streamId }) => streamId.startsWith('slots-'))
      .flatMap(({ events }) => events)
      .filter(({ data }) => 'sessionId' in data && data.sessionId === sessionId);
    expect(slotEvents.map(({ type }) => type)).toEqual(['SlotTaken']);
  });

  it('session-requested: the session connects, although nobody asks again', async () => {
    await endSession();
    const request = { deviceId: fault.device.deviceId, reason: 'nobody asks again' };
    const sessionId = randomUUID();
    await diesAt('session-requested', () =>
      expect(fault.hastyClient.openSession(request, { idempotencyKey: sessionId })).rejects.toThrow(),
    );
    session = await whenConnected(fault.client, sessionId);
    expect(await fault.client.openSession(request, { idempotencyKey: sessionId })).toMatchObject({
      sessionId,
      status: 'connected',
    });
    expect(ofType(await eventsOf(sessionId), 'SessionRequested')).toHaveLength(1);
    expect(ofType(await eventsOf(sessionId), 'SessionConnected')).toHaveLength(1);
  });

  it('session-ended: a disconnected session gives its slot back and its worker ends', async () => {
    const { sessionId } = await liveSession();
    await diesAt('session-ended', () => expect(fault.hastyClient.disconnect(sessionId)).rejects.toThrow());
    session = undefined;
    await expectReleased(sessionId, 'SessionDisconnected');
    await eventually(
      'the worker of the session is gone',
      async () => workersOf(fault.device.pid()).length === 0,
    );
  });

  it('session-ended: the supervisor that dies after an expiry is followed by one that gives the slot back', async () => {
    await endSession();
    await setLimits(fault.cloud, { idle: 2 });
    try {
      fault.armApp('session-ended');
      const { sessionId } = await fault.client.openSession({
        deviceId: fault.device.deviceId,
        reason: 'expires soon',
      });
      await eventually('the supervisor dies', async () => !fault.isAppArmed(), 60_000);
      await expectReleased(sessionId, 'SessionExpired');
    } finally {
      await setLimits(fault.cloud, { idle: 1800 });
    }
  });

  const expectReleased = async (sessionId: string, end: string): Promise<void> => {
    const streams = await eventually(
      'the slot is given back',
      async () => {
        const now = await history.streams();
        return slotHolders(now).length === 0 && now;
      },
      60_000,
    );
    const released = streams
      .flatMap(({ events }) => events)
      .filter(
        ({ type, data }) => type === 'SlotReleased' && 'sessionId' in data && data.sessionId === sessionId,
      );
    expect(released).toHaveLength(1);
    expect(ofType(await eventsOf(sessionId), end)).toHaveLength(1);
  };
});

describe('the agent dies between two effects', () => {
  const spooled = (): number => {
    const journal = new DatabaseSync(join(fault.device.stateDir, 'journal.db'), { readOnly: true });
    try {
      return Number(journal.prepare('SELECT count(*) AS n FROM spool').get()?.['n']);
    } finally {
      journal.close();
    }
  };

  /** Issues a command during which the agent dies at this point, and starts the agent again. */
  const crashDuring = async (point: CrashPointName, line: string) => {
    const { sessionId, version } = await liveSession();
    const passed = join(fault.device.stateDir, `crashed-${point}`);
    // The file says that the point was passed before: the agent must not die while it takes up its session.
    writeFileSync(passed, '');
    fault.agentEnvironment['LIVE_RESPONSE_CRASH_POINT'] = point;
    fault.device.kill('SIGKILL');
    await fault.device.restart();
    await eventually('the session goes on in a new worker, and that was settled', async () => {
      const resumed = (await eventsOf(sessionId)).some(
        (event) => event.version > version && event.type === 'SessionConnected',
      );
      return resumed && spooled() === 0;
    });
    rmSync(passed);
    const command = { commandId: randomUUID(), line };
    await fault.client.issueCommand(sessionId, line, { idempotencyKey: command.commandId });
    await fault.device.gone();
    expect(existsSync(passed), `the agent died at ${point}`).toBe(true);
    fault.agentEnvironment['LIVE_RESPONSE_CRASH_POINT'] = '';
    await fault.device.restart();
    await whenEnded(fault.client, sessionId, version, [command.commandId]);
    return { sessionId, command };
  };

  it.each([
    ['after-journal-before-complete', 'Completed', 'it had not begun and runs after the restart'],
    ['after-journal-before-spawn', 'Completed', 'it had not begun and runs after the restart'],
    ['after-spawn-before-started', 'Lost', 'it may have run and is never run again'],
    ['after-end-before-journal', 'Lost', 'how it ended is forgotten, and it is never run again'],
    ['after-end-before-send', 'Completed', 'its end is sent after the restart'],
    ['after-send-before-settle', 'Completed', 'its end is sent twice and recorded once'],
  ] as const)('%s: %s, because %s', async (point, state, _why) => {
    const line = point === 'after-spawn-before-started' ? `fileinfo "${fault.files.sparse}"` : 'dir /';
    const { sessionId, command } = await crashDuring(point, line);
    await expectEnd(sessionId, command, state);
    const events = await eventsOf(sessionId);
    expect(ofType(events, 'SequenceReused'), listed(events.slice(-20))).toEqual([]);
  });
});

it('leaves a store in which every chain holds and no slot is lost', async () => {
  await endSession();
  const streams = await history.streams();
  expect(storeFaults(streams)).toEqual([]);
  expect(leakedSlots(streams)).toEqual([]);
  expect(await history.deadLetters()).toEqual([]);
});
