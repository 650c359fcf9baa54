import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { enrol } from '../enrol.ts';
import { DiskReserve } from '../journal/diskReserve.ts';
import { LastingChanges } from '../journal/lastingChanges.ts';
import { AgentProcess } from './support/agentProcess.ts';
import { enrolmentToken, FakeBackend } from './support/fakeBackend.ts';
import { temporaryFolders } from './support/temporary.ts';

const folder = temporaryFolders();
const full = Object.assign(new Error('database or disk is full'), { errcode: 13 });

describe('the reserve', () => {
  it('is given up for one write that finds no other room, and no other', async () => {
    const state = await folder();
    const path = join(state, 'reserve');
    const reserve = new DiskReserve(state, 1000);
    expect(reserve.hold()).toBe(true);
    expect(statSync(path).size).toBe(1000);
    expect(new DiskReserve(state, 1000).spend(() => 'written')).toBe('written');
    expect(() =>
      reserve.spend(() => {
        throw new Error('something else');
      }),
    ).toThrow('something else');
    expect(existsSync(path)).toBe(true);

    const write = vi.fn(() => {
      if (existsSync(path)) throw full;
      return 'written';
    });
    expect(reserve.spend(write)).toBe('written');
    expect(write).toHaveBeenCalledTimes(2);
    const refused = vi.fn(() => {
      throw full;
    });
    expect(() => reserve.spend(refused)).toThrow('disk is full');
    expect(refused).toHaveBeenCalledTimes(1);
    expect(reserve.hold()).toBe(true);
    expect(existsSync(path)).toBe(true);
  });

  it('is not held when an earlier run could write a part of it only', async () => {
    const state = await folder();
    writeFileSync(join(state, 'reserve'), 'part');
    const write = vi.fn(() => {
      throw full;
    });
    expect(() => new DiskReserve(state, 1000).spend(write)).toThrow();
    expect(write).toHaveBeenCalledTimes(1);
  });
});

describe('what happened', () => {
  afterEach(() => vi.useRealTimers());

  it('waits in its order until there is room, and what cannot be right holds up nothing', () => {
    vi.useFakeTimers();
    const changes = new LastingChanges();
    const made: string[] = [];
    let isFull = true;
    const change = (name: string) => () => {
      if (isFull) throw full;
      made.push(name);
    };
    for (const name of ['started', 'output', 'ended']) changes.make(change(name));
    vi.advanceTimersByTime(5_000);
    expect(made).toEqual([]);
    isFull = false;
    vi.advanceTimersByTime(1_000);
    expect(made).toEqual(['started', 'output', 'ended']);
    expect(() =>
      changes.make(() => {
        throw new Error('a fault');
      }),
    ).toThrow('a fault');
    changes.make(change('next'));
    expect(made.at(-1)).toBe('next');
  });
});

describe('an agent that can write nothing', { timeout: 60_000 }, () => {
  let backend: FakeBackend;
  let agent: AgentProcess | undefined;
  beforeAll(async () => {
    backend = await FakeBackend.start();
  });
  afterEach(() => agent?.kill());
  afterAll(async () => {
    expect(backend.faults).toEqual([]);
    await backend.close();
  });

  /** A limit on the size of files needs no rights, and every write of the process fails as on a full disk. */
  const limitWrites = async ({ child }: AgentProcess, limit: 'none' | 'everything') => {
    const size = limit === 'everything' ? 0 : 'unlimited';
    await promisify(execFile)('prlimit', ['--pid', String(child.pid), `--fsize=${size}:unlimited`]);
  };
  const said = (process_: AgentProcess, text: string) =>
    vi.waitFor(() => expect(process_.stderr).toContain(text), { timeout: 30_000, interval: 50 });

  const enrolled = async () => {
    const state = await folder();
    const answer = await enrol({
      server: backend.server,
      token: enrolmentToken,
      state,
      caFile: backend.caFile,
    });
    return { state, deviceId: /Enrolled as ([0-9a-f]{40})/.exec(answer)?.[1] ?? '' };
  };
  const openSession = async (deviceId: string) => {
    const sessionId = randomUUID();
    const payloads = backend.payloads(deviceId, sessionId, 1);
    await backend.read(sessionId);
    await backend.send(payloads.open());
    const started = (commandId: string) =>
      backend.until('start', () =>
        backend.messages.find(
          (message) => message.kind === 'command.started' && message.body.commandId === commandId,
        ),
      );
    await backend.until('session.opened', () =>
      backend.messages.find(
        (message) => message.sessionId === sessionId && message.kind === 'session.opened',
      ),
    );
    return { sessionId, payloads, started };
  };

  it('loses no end, runs nothing that it cannot remember, and goes on by itself', async () => {
    const { state, deviceId } = await enrolled();
    const witness = join(state, 'witness');
    agent = new AgentProcess(state, { LIVE_RESPONSE_WITNESS: witness });
    await agent.ready;
    const { sessionId, payloads, started } = await openSession(deviceId);
    const long = join(state, 'long');
    writeFileSync(long, '');
    truncateSync(long, 25 * 1024 ** 3);
    const running = randomUUID();
    await backend.send(
      payloads.execute(running, 'fileinfo', { parameters: { path: long }, timeLimit: 3 }),
      backend.tickets(sessionId, running),
    );
    await started(running);

    await limitWrites(agent, 'everything');
    const waiting = randomUUID();
    await backend.send(payloads.execute(waiting, 'dir', { parameters: { path: '/' } }), {});
    await said(agent, 'command.execute waits until there is room');
    await said(agent, 'what happened is kept in memory until there is room');
    expect(backend.endsOf(running)).toEqual([]);
    expect(await readFile(witness, 'utf8')).not.toContain(waiting);

    await limitWrites(agent, 'none');
    expect((await backend.ended(running)).body).toMatchObject({ state: 'TimedOut' });
    expect((await backend.ended(waiting, 30_000)).body).toMatchObject({ state: 'Completed' });
    const runs = (await readFile(witness, 'utf8')).split('\n').filter((line) => line.startsWith(waiting));
    expect(runs).toHaveLength(1);
    expect(agent.child.exitCode).toBeNull();
  });

  it('waits with its start until there is room', async () => {
    const { state, deviceId } = await enrolled();
    agent = new AgentProcess(state, {}, ['prlimit', '--fsize=0:unlimited']);
    await said(agent, 'the agent waits until there is room');
    await limitWrites(agent, 'none');
    await agent.ready;
    await openSession(deviceId);
  });
});
