import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { capabilities } from '../commands/index.ts';
import { sha256 } from '../../evidence/canonical.ts';
import { commandHash, signPayload } from '../../evidence/commandSignature.ts';
import { enrol } from '../enrol.ts';
import { processIds, readStat, startTimeOf } from '../platform/linux/procfs.ts';
import { AgentProcess, runAgent } from './support/agentProcess.ts';
import { enrolmentToken, FakeBackend } from './support/fakeBackend.ts';

// Every test starts several processes, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

let backend: FakeBackend;
beforeAll(async () => {
  backend = await FakeBackend.start();
});
afterAll(async () => {
  expect(backend.faults).toEqual([]);
  await backend.close();
});

let state: string;
let deviceId: string;
const agents: AgentProcess[] = [];

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'agent-state-'));
  const said = await enrol({ server: backend.server, token: enrolmentToken, state, caFile: backend.caFile });
  deviceId = /Enrolled as ([0-9a-f]{40})/.exec(said)?.[1] ?? '';
});
afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.kill()));
  await rm(state, { recursive: true, force: true });
});

const startAgent = async (env: Record<string, string> = {}): Promise<AgentProcess> => {
  const agent = new AgentProcess(state, env);
  agents.push(agent);
  await agent.ready;
  return agent;
};

const openSession = async (epoch = 1) => {
  const sessionId = randomUUID();
  const payloads = backend.payloads(deviceId, sessionId, epoch);
  await backend.read(sessionId);
  await backend.send(payloads.open());
  const opened = await backend.until('session.opened', () =>
    backend.messages.find((message) => message.sessionId === sessionId && message.kind === 'session.opened'),
  );
  const execute = async (name: string, parameters: Record<string, string | number> = {}, more = {}) => {
    const commandId = randomUUID();
    await backend.send(
      payloads.execute(commandId, name, { parameters, ...more }),
      backend.tickets(sessionId, commandId),
    );
    return commandId;
  };
  return { sessionId, payloads, opened, execute };
};

const restart = async (agent: AgentProcess): Promise<AgentProcess> => {
  await agent.kill();
  return startAgent();
};

/** A command that runs until it is ended: hashing tens of gigabytes of nothing. */
const longFile = async (): Promise<string> => {
  const path = join(state, 'long');
  await writeFile(path, '');
  await truncate(path, 25 * 1024 ** 3);
  return path;
};

const startLong = async ({ execute }: Awaited<ReturnType<typeof openSession>>, timeLimit = 60) => {
  const commandId = await execute('fileinfo', { path: await longFile() }, { timeLimit });
  await backend.until('start', () =>
    backend.messages.find(
      (message) => message.kind === 'command.started' && message.body.commandId === commandId,
    ),
  );
  return commandId;
};

interface Known {
  readonly pid: number;
  readonly startTime: string;
  readonly role: string | undefined;
}

/** The processes that a service has started, with what each is. */
const familyOf = (agent: AgentProcess): readonly Known[] => {
  const stats = processIds().map(readStat);
  const family = new Set([agent.child.pid]);
  for (let grown = true; grown;) {
    grown = false;
    for (const stat of stats) {
      if (stat !== undefined && family.has(stat.parentPid) && !family.has(stat.pid)) {
        family.add(stat.pid);
        grown = true;
      }
    }
  }
  family.delete(agent.child.pid);
  return stats.flatMap((stat) =>
    stat !== undefined && family.has(stat.pid)
      ? [
          {
            pid: stat.pid,
            startTime: startTimeOf(stat),
            role: readFileSync(`/proc/${stat.pid}/cmdline`, 'utf8').split('\0').at(-2),
          },
        ]
      : [],
  );
};

const stillAlive = (family: readonly Known[]): readonly Known[] =>
  family.filter(({ pid, startTime }) => {
    const stat = readStat(pid);
    return stat !== undefined && stat.state !== 'Z' && startTimeOf(stat) === startTime;
  });

const witnessed = async (): Promise<readonly { commandId: string; pid: number }[]> => {
  const content = await readFile(join(state, 'witness'), 'utf8').catch(() => '');
  return content
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ commandId: line.split(' ')[0] ?? '', pid: Number(line.split(' ')[1]) }));
};
const runsOf = async (commandId: string): Promise<number> =>
  (await witnessed()).filter((run) => run.commandId === commandId).length;

describe('a session', () => {
  it('opens, runs commands and says in one message how each ended', async () => {
    await startAgent();
    const { opened, execute, payloads, sessionId } = await openSession();
    expect(opened.body).toMatchObject({
      platform: 'linux',
      directory: '/',
      resumed: false,
      capabilities: [...capabilities],
    });
    expect(await runsOf('x')).toBe(0);
    const ended = await backend.ended(await execute('cd', { path: '/usr' }));
    expect(ended.body).toMatchObject({ state: 'Completed', directory: '/usr', processesGone: true });
    const listing = await backend.ended(await execute('dir'));
    expect(listing.body.output[0]?.inline?.text).toContain('"path":"/usr/bin"');
    const failed = await backend.ended(await execute('dir', { path: 'missing' }));
    expect(failed.body).toMatchObject({ state: 'Failed', error: { code: 'FILE_NOT_FOUND' } });

    // A repeated open is answered by nothing; the next message is about the next command.
    await backend.send(payloads.open());
    await backend.ended(await execute('dir'));
    expect(
      backend.messages.filter(
        (message) => message.sessionId === sessionId && message.kind === 'session.opened',
      ),
    ).toHaveLength(1);
  });

  it('names the signed command that it ran', async () => {
    await startAgent();
    const { payloads } = await openSession();
    const jws = await backend.send(payloads.execute('named', 'dir'));
    const { body } = await backend.ended('named');
    const started =
      body.started ??
      backend.messages
        .flatMap((message) => (message.kind === 'command.started' ? [message.body] : []))
        .at(-1);
    expect(started?.commandHash).toBe(commandHash(jws));
  });

  it('stores long output in the blob that was signed, and collects a file', async () => {
    await startAgent();
    const { execute, sessionId } = await openSession();
    const commandId = await execute('dir', { path: '/usr/bin' });
    const { body } = await backend.ended(commandId);
    const parts = [
      ...backend.messages.flatMap((message) =>
        message.kind === 'command.output' && message.body.commandId === commandId ? message.body.parts : [],
      ),
      ...body.output,
    ];
    const content = await backend.blob('output', `${sessionId}/${commandId}`).downloadToBuffer();
    expect(parts.at(-1)?.blob).toBe(`output/${sessionId}/${commandId}`);
    for (const part of parts) {
      expect(sha256(content.subarray(part.offset, part.offset + part.size))).toBe(part.sha256);
    }
    const names = content
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { name: string }).name);
    expect(names.sort()).toEqual(readdirSync('/usr/bin').sort());

    const file = join(state, 'file');
    await writeFile(file, 'to be collected');
    const collected = await backend.ended(await execute('getfile', { path: file }));
    expect(collected.body).toMatchObject({
      state: 'Completed',
      files: [{ name: 'file', size: 15, sha256: sha256('to be collected') }],
    });
    const blob = collected.body.files[0]?.blob.split('/').slice(1).join('/') ?? '';
    expect((await backend.blob('collected', blob).downloadToBuffer()).toString()).toBe('to be collected');
  });

  it('runs a command once however often it is delivered', async () => {
    await startAgent({ LIVE_RESPONSE_WITNESS: join(state, 'witness') });
    const { payloads, execute } = await openSession();
    const command = payloads.execute('twice', 'dir');
    await backend.send(command);
    await backend.send(command);
    await backend.ended('twice');
    await backend.send(command);
    const last = await execute('dir');
    await backend.ended(last);
    expect([await runsOf('twice'), await runsOf(last)]).toEqual([1, 1]);
    expect(backend.endsOf('twice')).toHaveLength(1);
  });

  it('does not run a command whose cancel came first', async () => {
    await startAgent({ LIVE_RESPONSE_WITNESS: join(state, 'witness') });
    const { payloads } = await openSession();
    await backend.send(payloads.cancel('early'));
    await backend.send(payloads.execute('early', 'dir'));
    const { body } = await backend.ended('early');
    expect(body).toMatchObject({ state: 'Cancelled', started: null, cancelReached: true });
    expect(await runsOf('early')).toBe(0);
  });

  it('cancels and times out with proof that nothing is left', async () => {
    const agent = await startAgent({ LIVE_RESPONSE_WITNESS: join(state, 'witness') });
    const session = await openSession();
    const cancelled = await startLong(session);
    const family = familyOf(agent);
    const { pid } = (await witnessed()).at(-1) ?? { pid: 0 };
    expect(family.some((known) => known.pid === pid)).toBe(true);
    await backend.send(session.payloads.cancel(cancelled));
    expect((await backend.ended(cancelled)).body).toMatchObject({
      state: 'Cancelled',
      cancelReached: true,
      processesGone: true,
    });
    expect(stillAlive(family).some((known) => known.pid === pid)).toBe(false);

    const timedOut = await session.execute('fileinfo', { path: join(state, 'long') }, { timeLimit: 0.5 });
    const { body } = await backend.ended(timedOut);
    expect(body).toMatchObject({ state: 'TimedOut', cancelReached: false, processesGone: true });
    expect(body.duration).toBeGreaterThanOrEqual(0.5);
    expect(body.duration).toBeLessThan(5);
  });

  it('ends when it is closed, and ignores what comes after', async () => {
    const agent = await startAgent({ LIVE_RESPONSE_WITNESS: join(state, 'witness') });
    const session = await openSession();
    const running = await startLong(session);
    const family = familyOf(agent);
    await backend.send(session.payloads.close());
    expect((await backend.ended(running)).body).toMatchObject({ state: 'Cancelled', cancelReached: true });
    await backend.send(session.payloads.execute('late', 'dir'));
    const next = await openSession(2);
    await backend.ended(await next.execute('dir'));
    expect(backend.endsOf('late')).toEqual([]);
    expect(await runsOf('late')).toBe(0);
    expect(stillAlive(family)).toEqual([]);
  });

  it('gives way to a newer session and refuses an older one', async () => {
    await startAgent();
    const old = await openSession(5);
    const running = await startLong(old);
    const newer = await openSession(6);
    expect((await backend.ended(running)).body).toMatchObject({
      state: 'Cancelled',
      cancelReached: false,
      error: { code: 'SESSION_SUPERSEDED' },
    });
    const positions = [running, newer.sessionId].map((wanted) =>
      backend.messages.findIndex((message) =>
        message.kind === 'command.ended' ? message.body.commandId === wanted : message.sessionId === wanted,
      ),
    );
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    const staleId = randomUUID();
    await backend.read(staleId);
    await backend.send(backend.payloads(deviceId, staleId, 4).open());
    const refused = await backend.until('refusal', () =>
      backend.messages.find((message) => message.sessionId === staleId),
    );
    expect(refused).toMatchObject({ kind: 'session.refused', body: { code: 'STALE_EPOCH' } });
    expect((await backend.ended(await newer.execute('dir'))).body.state).toBe('Completed');
  });
});

describe('trust', () => {
  it('drops what is not signed for this device, and never blocks on it', async () => {
    await startAgent({ LIVE_RESPONSE_WITNESS: join(state, 'witness') });
    const { payloads, sessionId, execute } = await openSession();
    const stranger = new (class {
      readonly kid = 'key-1';
      readonly sign = async () => new Uint8Array(64);
    })();
    await backend.sendRaw(deviceId, 'not even an object');
    await backend.sendRaw(deviceId, { v: 1, jws: 'a.b.c', tickets: {} });
    await backend.send(payloads.execute('forged', 'dir'), {}, stranger);
    await backend.send(payloads.execute('unknown-key', 'dir'), {}, { ...stranger, kid: 'key-9' });
    const foreign = backend.payloads('another-device', sessionId, 1).execute('foreign', 'dir');
    await backend.sendRaw(deviceId, { v: 1, jws: await signPayload(foreign, backend.signer), tickets: {} });
    await backend.send(backend.payloads(deviceId, sessionId, 9).execute('wrong-epoch', 'dir'));
    const last = await execute('dir');
    await backend.ended(last);
    expect((await witnessed()).map(({ commandId }) => commandId)).toEqual([last]);
  });

  it('follows a rotated key without being told before, and remembers it', async () => {
    const agent = await startAgent();
    const { execute } = await openSession();
    await backend.rotateKey(`key-${randomUUID()}`);
    expect((await backend.ended(await execute('dir'))).body.state).toBe('Completed');
    await restart(agent);
    expect((await backend.ended(await execute('dir'))).body.state).toBe('Completed');
    const { keySetTrusted } = JSON.parse(await readFile(join(state, 'agent.json'), 'utf8'));
    expect(keySetTrusted.version).toBe(backend.keySets.at(-1)?.version);
  });
});

describe('faults', () => {
  const lostOnce = async (commandId: string, code: string): Promise<void> => {
    const { body } = await backend.ended(commandId);
    expect(body).toMatchObject({ state: 'Lost', error: { code }, processesGone: true });
  };

  it('a killed executor loses its command and nothing else', async () => {
    await startAgent({ LIVE_RESPONSE_WITNESS: join(state, 'witness') });
    const session = await openSession();
    const commandId = await startLong(session);
    process.kill((await witnessed()).at(-1)?.pid ?? 0, 'SIGKILL');
    await lostOnce(commandId, 'EXECUTOR_DIED');
    expect((await backend.ended(await session.execute('dir'))).body.state).toBe('Completed');
    expect(backend.endsOf(commandId)).toHaveLength(1);
    expect(await runsOf(commandId)).toBe(1);
  });

  it('a killed worker is replaced, its command is lost, and nothing is left of it', async () => {
    const agent = await startAgent({ LIVE_RESPONSE_WITNESS: join(state, 'witness') });
    const session = await openSession();
    await backend.ended(await session.execute('cd', { path: '/usr' }));
    const commandId = await startLong(session);
    const family = familyOf(agent);
    const worker = family.find(({ role }) => role === 'worker');
    process.kill(worker?.pid ?? 0, 'SIGKILL');
    await lostOnce(commandId, 'WORKER_DIED');
    const { body } = await backend.ended(await session.execute('dir', { path: 'bin' }));
    expect(body.state).toBe('Completed');
    expect(stillAlive(family)).toEqual([]);
    expect(backend.endsOf(commandId)).toHaveLength(1);
    expect(await runsOf(commandId)).toBe(1);
  });

  it('a killed service says after its restart what was lost, and its session goes on', async () => {
    const agent = await startAgent({ LIVE_RESPONSE_WITNESS: join(state, 'witness') });
    const session = await openSession();
    await backend.ended(await session.execute('cd', { path: '/usr' }));
    const commandId = await startLong(session);
    const family = familyOf(agent);
    await restart(agent);
    await lostOnce(commandId, 'AGENT_RESTARTED');
    const resumed = await backend.until('resumed', () =>
      backend.messages.find(
        (message) =>
          message.sessionId === session.sessionId &&
          message.kind === 'session.opened' &&
          message.body.resumed,
      ),
    );
    expect(resumed.body).toMatchObject({ directory: '/usr' });
    expect(resumed.run).not.toBe(session.opened.run);
    expect(resumed).toMatchObject({ previousRun: session.opened.run });
    expect(stillAlive(family)).toEqual([]);
    await backend.ended(await session.execute('dir'));
    expect(backend.endsOf(commandId)).toHaveLength(1);
    expect(await runsOf(commandId)).toBe(1);
  });

  it('a stopped service ends its commands, says so, and takes the session up again', async () => {
    const agent = await startAgent();
    const session = await openSession();
    const commandId = await startLong(session);
    const family = familyOf(agent);
    const asked = performance.now();
    await agent.kill('SIGTERM');
    expect(performance.now() - asked).toBeLessThan(6_000);
    expect(await agent.exit).toEqual({ code: 0, signal: null });
    expect(stillAlive(family)).toEqual([]);
    expect((await backend.ended(commandId)).body).toMatchObject({
      state: 'Cancelled',
      error: { code: 'AGENT_STOPPED' },
      processesGone: true,
    });
    await startAgent();
    expect((await backend.ended(await session.execute('dir'))).body.state).toBe('Completed');
  });

  it.each([
    ['after-journal-before-complete', 'Completed', 1],
    ['after-journal-before-spawn', 'Completed', 1],
    ['after-spawn-before-started', 'Lost', 1],
    ['after-end-before-journal', 'Lost', 1],
    ['after-end-before-send', 'Completed', 1],
    ['after-send-before-settle', 'Completed', 1],
  ] as const)('a crash %s: %s, run once, said once', async (point, end, runs) => {
    const env = { LIVE_RESPONSE_WITNESS: join(state, 'witness'), LIVE_RESPONSE_CRASH_POINT: point };
    const agent = new AgentProcess(state, env);
    agents.push(agent);
    await agent.ready;
    const sessionId = randomUUID();
    const payloads = backend.payloads(deviceId, sessionId, 1);
    await backend.read(sessionId);
    await backend.send(payloads.open());
    if (point !== 'after-send-before-settle') {
      await backend.until('opened', () =>
        backend.messages.find((message) => message.sessionId === sessionId),
      );
      await backend.send(payloads.execute(point, 'dir'));
    }
    expect(await agent.exit).toEqual({ code: null, signal: 'SIGKILL' });
    await startAgent(env);
    if (point === 'after-send-before-settle') await backend.send(payloads.execute(point, 'dir'));
    expect((await backend.ended(point)).body.state).toBe(end);
    await backend.send(payloads.execute(`${point}-next`, 'dir'));
    await backend.ended(`${point}-next`);
    expect(backend.endsOf(point)).toHaveLength(1);
    expect(await runsOf(point)).toBe(runs);
  });

  it('what ended while the broker was gone is said when it is back', async () => {
    await startAgent();
    const session = await openSession();
    const commandId = await session.execute('fileinfo', { path: await longFile() }, { timeLimit: 1.5 });
    await backend.until('start', () =>
      backend.messages.find(
        (message) => message.kind === 'command.started' && message.body.commandId === commandId,
      ),
    );
    await backend.stopBus();
    await pause(2_000);
    await backend.startBus();
    expect((await backend.ended(commandId, 30_000)).body.state).toBe('TimedOut');
    expect((await backend.ended(await session.execute('dir'), 30_000)).body.state).toBe('Completed');
    expect(backend.endsOf(commandId)).toHaveLength(1);
  });
});

describe('the service', () => {
  it('says hello and that it lives', async () => {
    backend.heartbeatEvery = 1;
    await startAgent();
    const own = (kind: string) =>
      backend.until(kind, () =>
        backend.presence.find((message) => message.deviceId === deviceId && message.kind === kind),
      );
    expect(await own('device.hello')).toMatchObject({
      sequence: 1,
      body: { platform: 'linux', openSessions: [] },
    });
    const { sessionId } = await openSession();
    await backend.until('heartbeat', () =>
      backend.presence.find(
        ({ kind, body }) => kind === 'device.heartbeat' && JSON.stringify(body).includes(sessionId),
      ),
    );
    backend.heartbeatEvery = 600;
  });

  it('works with a clock that is an hour behind', async () => {
    backend.clockAhead = 3_600;
    try {
      await startAgent();
      const { execute } = await openSession();
      expect((await backend.ended(await execute('dir'))).body.state).toBe('Completed');
    } finally {
      backend.clockAhead = 0;
    }
  });

  it('renews its tokens while it works', async () => {
    backend.renewAfter = 0.5;
    try {
      await startAgent();
      const { execute } = await openSession();
      const before = backend.tokensIssued.length;
      while (backend.tokensIssued.length < before + 3) await backend.ended(await execute('dir'));
    } finally {
      backend.renewAfter = 1_800;
    }
  });

  it('is alone on its state directory, and can be asked what it does', async () => {
    const agent = await startAgent();
    const second = await runAgent('run', '--state', state);
    expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining('Another agent runs') });
    const { sessionId } = await openSession();
    const shown = JSON.parse((await runAgent('status', '--state', state)).stdout);
    expect(shown).toMatchObject({
      enrolled: true,
      running: true,
      deviceId,
      openSessions: [{ sessionId, state: 'open' }],
    });
    await agent.kill();
    expect(JSON.parse((await runAgent('status', '--state', state)).stdout)).toMatchObject({ running: false });
  });

  it('keeps its secrets to itself', async () => {
    await startAgent();
    const open = readdirSync(state).filter((name) => {
      const found = statSync(join(state, name));
      return (found.mode & 0o777) !== (found.isDirectory() ? 0o700 : 0o600);
    });
    expect(statSync(state).mode & 0o777).toBe(0o700);
    expect(open).toEqual([]);
  });
});

describe('enrolment', () => {
  const enrolAgain = (...more: string[]) =>
    runAgent('enrol', '--server', backend.server, '--token', enrolmentToken, '--state', state, ...more);

  it('done twice gives the same device', async () => {
    expect(await enrolAgain()).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`already, as ${deviceId}`),
    });
  });

  it('gives the same device when its answer was lost', async () => {
    await rm(join(state, 'agent.json'));
    expect(await enrolAgain('--ca-file', backend.caFile)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`as ${deviceId}: it is the same device`),
    });
  });

  it('says why it was refused', async () => {
    const other = await mkdtemp(join(tmpdir(), 'agent-state-'));
    const { code, stderr } = await runAgent(
      ...[
        'enrol',
        '--server',
        backend.server,
        '--token',
        'lre_wrong',
        '--state',
        other,
        '--ca-file',
        backend.caFile,
      ],
    );
    await rm(other, { recursive: true });
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('ENROLMENT_TOKEN_INVALID') });
    const unenrolled = await runAgent('run', '--state', other);
    await rm(other, { recursive: true });
    expect(unenrolled).toMatchObject({ code: 1, stderr: expect.stringContaining("Run 'enrol' first") });
  });
});
