import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createWriteStream, readFileSync } from 'node:fs';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  makeFaultFolder,
  openFaultSession,
  persistentClient,
  removeFaultFolder,
  trustCloud,
  whenConnected,
} from '../support/faultCloud.ts';
import { settled, whenEnded } from '../support/faultEnds.ts';
import {
  endOf,
  leakedSlots,
  listed,
  requireSoundSession,
  StoredHistory,
  storeFaults,
} from '../support/faultHistory.ts';
import type { StartedSystem } from '../support/faultParent.ts';
import { descendantsOf, type LivingProcess, livingProcesses } from '../support/faultProcesses.ts';

const program = join(import.meta.dirname, '..', 'support', 'faultParent.ts');
const started: ChildProcess[] = [];
let dataDir: string;

beforeAll(async () => {
  dataDir = await makeFaultFolder('start');
});
afterAll(async () => {
  for (const parent of started) await ended(parent, () => parent.stdin?.end());
  await removeFaultFolder(dataDir);
});

const ended = async (parent: ChildProcess, end: () => void): Promise<void> => {
  if (parent.exitCode !== null || parent.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => parent.once('exit', () => resolve()));
  end();
  await gone;
};

/** Starts everything below one process, so that all of it can be found and killed. */
const start = async (): Promise<{ readonly parent: ChildProcess; readonly system: StartedSystem }> => {
  const parent = spawn(process.execPath, [program, dataDir], { stdio: ['pipe', 'pipe', 'pipe'] });
  started.push(parent);
  parent.stderr?.pipe(createWriteStream(join(dataDir, 'parent.log'), { flags: 'a' }));
  const system = await new Promise<StartedSystem>((resolve, reject) => {
    parent.once('exit', () =>
      reject(new Error(`The system did not start: ${readFileSync(join(dataDir, 'parent.log'), 'utf8')}`)),
    );
    if (parent.stdout === null) return reject(new Error('The system has no output.'));
    createInterface({ input: parent.stdout }).once('line', (line) =>
      resolve(JSON.parse(line) as StartedSystem),
    );
  });
  await trustCloud(system.caFile);
  return { parent, system };
};

const nameOf = ({ pid, startTime, commandLine }: LivingProcess): string =>
  `${pid} ${startTime} ${commandLine}`;

it(
  'goes on where it was when everything was killed at once and is started again',
  {
    timeout: 240_000,
  },
  async () => {
    const sparse = join(dataDir, 'sparse.bin');
    await writeFile(sparse, '');
    await truncate(sparse, 400 * 1024 ** 2);
    const executions = (): readonly string[] =>
      readFileSync(join(dataDir, 'witness'), 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split(' ')[0] ?? '');

    const first = await start();
    const tenantId = first.system.tenants[0]?.id ?? '';
    const firstClient = persistentClient(first.system);
    const { sessionId } = await openFaultSession(firstClient, first.system.deviceId);
    const finished = await firstClient.issueCommand(sessionId, 'dir /', { wait: 60 });
    expect(finished.state).toBe('Completed');
    const running = { commandId: randomUUID(), line: `fileinfo "${sparse}"` };
    await firstClient.issueCommand(sessionId, running.line, { idempotencyKey: running.commandId });

    // The session's worker and what it started are not killed: they have to end by themselves without their service.
    const all = descendantsOf(first.parent.pid ?? 0);
    const byThemselves = new Set(descendantsOf(first.system.agentPid, all).map(({ pid }) => pid));
    const victims = all.filter(({ pid }) => !byThemselves.has(pid));
    expect(victims.length).toBeGreaterThanOrEqual(9);
    expect(byThemselves.size).toBeGreaterThan(0);
    for (const { pid } of victims) process.kill(pid, 'SIGKILL');
    await ended(first.parent, () => first.parent.kill('SIGKILL'));
    const firstRun = new Set(all.map(nameOf));
    const left = () =>
      Promise.resolve(
        livingProcesses()
          .map(nameOf)
          .filter((name) => firstRun.has(name)),
      );
    expect(await settled(left), 'processes of the first run').toEqual([]);

    const { system } = await start();
    expect(system.url).toBe(first.system.url);
    expect(system.deviceId).toBe(first.system.deviceId);
    const client = persistentClient(system);
    await whenEnded(client, sessionId, 0, [running.commandId]);
    const resumed = await whenConnected(client, sessionId);
    const history = new StoredHistory(system);
    try {
      const again = { commandId: randomUUID(), line: 'dir /' };
      const answer = await client.issueCommand(sessionId, again.line, {
        idempotencyKey: again.commandId,
        wait: 60,
      });
      const events = await history.session(tenantId, sessionId);
      expect(answer.state, listed(events)).toBe('Completed');
      requireSoundSession(events, {
        accepted: [finished.commandId, running.commandId, again.commandId],
        executions: executions(),
      });
      expect(['Completed', 'Lost'], listed(events)).toContain(endOf(events, running.commandId));
      expect(events.filter(({ type }) => type === 'SessionConnected').length).toBeGreaterThanOrEqual(2);
      expect(resumed.sessionId).toBe(sessionId);

      const streams = await history.streams();
      expect(storeFaults(streams)).toEqual([]);
      expect(leakedSlots(streams)).toEqual([]);
      const devices = streams.filter(({ streamId }) => streamId.startsWith('device-'));
      expect(devices.map(({ streamId }) => streamId)).toEqual([`device-${system.deviceId}`]);
      expect(devices[0]?.events.filter(({ type }) => type === 'DeviceEnrolled')).toHaveLength(1);
      expect(await history.deadLetters()).toEqual([]);
      await client.disconnect(sessionId);
    } finally {
      history.close();
    }
  },
);
