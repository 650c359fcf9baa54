import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentProcess, runAgent } from './support/agentProcess.ts';
import { enrolmentToken, FakeBackend } from './support/fakeBackend.ts';

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
  const { code, stdout, stderr } = await runAgent(
    ...['enrol', '--server', backend.server, '--token', enrolmentToken],
    ...['--state', state, '--ca-file', backend.caFile],
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  deviceId = /Enrolled as ([0-9a-f]{40})/.exec(stdout)?.[1] ?? '';
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

describe('a session', () => {
  it('opens, runs a command and says in one message how it ended', async () => {
    await startAgent();
    const { opened, execute } = await openSession();
    expect(opened.body).toMatchObject({ platform: 'linux', directory: '/', resumed: false });
    const ended = await backend.ended(await execute('cd', { path: '/usr' }));
    expect(ended.body).toMatchObject({ state: 'Completed', directory: '/usr', processesGone: true });
    const listing = await backend.ended(await execute('dir'));
    expect(listing.body.output[0]?.inline?.text).toContain('"path":"/usr/bin"');
  });
});
