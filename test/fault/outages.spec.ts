import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import type { LocalDevice } from '../../local/device.ts';
import { type BrokenCloud, endsOf, startBrokenCloud } from '../support/brokenCloud.ts';
import type { SessionResource } from '../../sdk/index.ts';
import { type FaultCloud, openFaultSession } from '../support/faultCloud.ts';
import { brokerDeadLetters, leakedSlots, storeFaults } from '../support/faultHistory.ts';
import { startLoad } from '../support/faultLoad.ts';
import { byAge, workersOf } from '../support/faultProcesses.ts';
import { eventually } from '../support/responders.ts';

/** Longer than any wait of the system for a start (120 s), a lock or a sign of life (60 s); shorter than `lostAfter`. */
const pauseSeconds = Number(process.env['FAULT_PAUSE_SECONDS'] ?? 180);
const storeDownSeconds = Number(process.env['FAULT_STORE_DOWN_SECONDS'] ?? 90);
const patienceMs = (Math.max(pauseSeconds, storeDownSeconds) + 120) * 1000;
const timeout = (pauseSeconds + storeDownSeconds + 300) * 1000;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

// Side by side, each on what it may break: all of it takes as long as its longest wait.
describe.concurrent('parts of the system are away for long', () => {
  const started: BrokenCloud[] = [];
  const devices: LocalDevice[] = [];
  const start = async (name: string): Promise<BrokenCloud> => {
    const broken = await startBrokenCloud(name, { patienceMs });
    started.push(broken);
    return broken;
  };
  interface Paused {
    readonly broken: BrokenCloud;
    readonly sessions: readonly (readonly [LocalDevice, SessionResource])[];
  }
  let shared: Promise<Paused> | undefined;
  /** One cloud for all that stand still, each with a device of its own. All sessions are open before anything stops. */
  const paused = (): Promise<Paused> => (shared ??= startPaused());
  const startPaused = async (): Promise<Paused> => {
    const broken = await start('paused');
    const { fault, client } = broken;
    for (const name of ['paused-agent', 'paused-worker']) devices.push(await fault.addDevice(name));
    const sessions: (readonly [LocalDevice, SessionResource])[] = [];
    for (const device of [fault.device, ...devices])
      sessions.push([device, await openFaultSession(client, device.deviceId)]);
    return { broken, sessions };
  };

  afterAll(async () => {
    await Promise.all(devices.map((device) => device.stop()));
    await Promise.all(started.map((broken) => broken.stop()));
  });

  it(
    'host and store die under load, then the store is away: every command completes',
    { timeout },
    async () => {
      const broken = await start('store-down');
      const { fault, client, history } = broken;
      const session = await openFaultSession(client, fault.device.deviceId);
      const lines = ['dir /', `fileinfo "${fault.files.small}"`];
      const load = startLoad(client, session.sessionId, { lines });
      for (const part of ['host', 'cosmos', 'host', 'cosmos'] as const) {
        const before = load.accepted.size;
        await eventually(
          'commands are on their way',
          async () => load.accepted.size > before + 3,
          patienceMs,
        );
        fault.cloud.parts[part].kill('SIGKILL');
        await fault.cloud.restart(part);
      }
      await broken.requireWorking(session.sessionId);
      fault.cloud.parts.cosmos.kill('SIGKILL');
      await pause(storeDownSeconds * 1000);
      await fault.cloud.restart('cosmos');
      await broken.requireWorking(session.sessionId);
      const events = await broken.requireSound(session, load);
      say(`store away for ${storeDownSeconds} s: ${JSON.stringify(endsOf(events))}`);
      expect(load.unanswered).toEqual(new Map());
      expect(Object.keys(endsOf(events))).toEqual(['Completed']);
      expect(await history.deadLetters()).toEqual([]);
      expect(await brokerDeadLetters(fault.cloud, fault.device.deviceId)).toEqual([]);
      await client.disconnect(session.sessionId);
      const streams = await eventually('the slot is given back', async () => {
        const now = await history.streams();
        return leakedSlots(now).length === 0 && now;
      });
      expect(storeFaults(streams)).toEqual([]);
    },
  );

  /** Stops a process for the whole pause, under load, and lets it go on. */
  const pauseUnderLoad = async (
    index: number,
    victimOf: (device: LocalDevice, fault: FaultCloud) => Promise<number> | number,
  ) => {
    const { broken, sessions } = await paused();
    const { client, fault } = broken;
    const [device, session] = sessions[index] ?? [];
    if (device === undefined || session === undefined) throw new Error('There is no such session.');
    const load = startLoad(client, session.sessionId, {
      lines: ['dir /', 'dir /etc', `fileinfo "${fault.files.sparse}"`],
    });
    await eventually('commands are on their way', async () => load.accepted.size > 3, patienceMs);
    const victim = await victimOf(device, fault);
    process.kill(victim, 'SIGSTOP');
    try {
      await pause(pauseSeconds * 1000);
    } finally {
      process.kill(victim, 'SIGCONT');
    }
    await load.stop();
    const events = await broken.requireSound(session, load, device.stateDir);
    await broken.requireWorking(session.sessionId);
    await client.disconnect(session.sessionId);
    return { events, load };
  };

  it('an app process stands still: nothing is lost, nothing runs twice', { timeout }, async () => {
    const { events } = await pauseUnderLoad(0, async (_device, { hostStatus }) => {
      const [elder] = byAge((await hostStatus()).appProcesses);
      if (elder === undefined) throw new Error('No app process is alive.');
      return elder;
    });
    say(`app process stopped for ${pauseSeconds} s: ${JSON.stringify(endsOf(events))}`);
    expect(endsOf(events)['Completed']).toBeGreaterThan(3);
  });

  it('the agent stands still: its commands end once, and the session goes on', { timeout }, async () => {
    const { events } = await pauseUnderLoad(1, (device) => device.pid());
    say(`agent stopped for ${pauseSeconds} s: ${JSON.stringify(endsOf(events))}`);
    expect(endsOf(events)['Completed']).toBeGreaterThan(3);
  });

  it('a worker stands still: its commands end once, and the session goes on', { timeout }, async () => {
    const { events } = await pauseUnderLoad(2, async (device) => {
      const [worker] = await eventually('the session has a worker', async () => workersOf(device.pid()));
      if (worker === undefined) throw new Error('The session has no worker.');
      return worker;
    });
    say(`worker stopped for ${pauseSeconds} s: ${JSON.stringify(endsOf(events))}`);
    expect(endsOf(events)['Completed']).toBeGreaterThan(3);
  });
});
