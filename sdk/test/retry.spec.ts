import { afterEach, expect, it } from 'vitest';
import { openSessionRequest, uuid } from '../../contracts/http.ts';
import { ApiError, ConnectionError, LiveResponseClient, UnexpectedAnswerError } from '../index.ts';
import { type Call, type RunningServer, startServer } from './contractServer.ts';
import { aCommand, aSession, deviceId, sessionId } from './shapes.ts';

let server: RunningServer | undefined;
afterEach(async () => {
  await server?.close();
});

const retry = { firstDelayMs: 1, longestDelayMs: 5, attempts: 4 };
const clientOf = async (handle: (call: Call) => void | Promise<void>): Promise<LiveResponseClient> => {
  server = await startServer(handle);
  return new LiveResponseClient({ server: server.address, token: async () => 'token-1', retry });
};

it('repeats a session request with the same key when the answer was lost after it had been accepted', async () => {
  const opened = new Map<string, unknown>();
  const client = await clientOf((call) => {
    const key = uuid.parse(call.headers['idempotency-key']);
    const request = openSessionRequest.parse(call.body);
    const isRepeat = opened.has(key);
    opened.set(key, request);
    if (!isRepeat) return call.cut();
    call.json(200, aSession({ sessionId: key }));
  });
  const session = await client.openSession({ deviceId, reason: 'beaconing' });
  expect([...opened.keys()]).toEqual([session.sessionId]);
  expect(server?.calls).toEqual(['POST /api/sessions', 'POST /api/sessions']);
});

it('repeats an issued command with the same key when the answer broke off half-way', async () => {
  const keys: unknown[] = [];
  const client = await clientOf((call) => {
    keys.push(call.headers['idempotency-key']);
    if (keys.length > 1) return call.json(202, aCommand());
    call.response.writeHead(202, { 'content-type': 'application/json', 'content-length': '500' });
    call.response.write('{"commandId":', () => call.cut());
  });
  await client.issueCommand(sessionId, 'processes');
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(1);
});

it('waits as long as Retry-After says', async () => {
  let calls = 0;
  const times: number[] = [];
  const client = await clientOf((call) => {
    times.push(performance.now());
    calls += 1;
    if (calls === 1) return call.problem(503, 'STORE_BUSY', 'Try again.', { 'retry-after': '1' });
    call.json(200, aSession());
  });
  await client.session(sessionId);
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(990);
});

it('gives up after the agreed number of tries and says what the server said', async () => {
  const client = await clientOf((call) => call.problem(429, 'TOO_MANY', 'Slow down.'));
  await expect(client.session(sessionId)).rejects.toMatchObject({ code: 'TOO_MANY', status: 429 });
  expect(server?.calls).toHaveLength(retry.attempts);
});

it('does not repeat a refusal', async () => {
  const client = await clientOf((call) => call.problem(409, 'FOREGROUND_BUSY', 'processes runs.'));
  const refusal = await client.issueCommand(sessionId, 'dir').catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(ApiError);
  expect(refusal).toMatchObject({ code: 'FOREGROUND_BUSY', detail: 'processes runs.', correlationId: 'c-1' });
  expect(server?.calls).toHaveLength(1);
});

it('does not repeat what would happen twice', async () => {
  const client = await clientOf((call) => call.cut());
  await expect(client.createEnrolmentToken()).rejects.toBeInstanceOf(ConnectionError);
  expect(server?.calls).toHaveLength(1);
});

it('refuses an answer of another shape', async () => {
  const client = await clientOf((call) => call.json(200, { ...aSession(), status: 'dreaming' }));
  await expect(client.session(sessionId)).rejects.toBeInstanceOf(UnexpectedAnswerError);
  expect(server?.calls).toHaveLength(1);
});

it('asks for a token before every try and sends it', async () => {
  let tokens = 0;
  const seen: unknown[] = [];
  server = await startServer((call) => {
    seen.push(call.headers.authorization);
    if (seen.length === 1) return call.cut();
    call.json(200, aSession());
  });
  const token = async () => `token-${(tokens += 1)}`;
  await new LiveResponseClient({ server: server.address, token, retry }).session(sessionId);
  expect(seen).toEqual(['Bearer token-1', 'Bearer token-2']);
});

it('stops at once when it is aborted', async () => {
  const abort = new AbortController();
  const client = await clientOf(() => abort.abort(new Error('enough')));
  await expect(client.session(sessionId, { signal: abort.signal })).rejects.toThrow('enough');
});

it('tells that a service is not ready instead of failing', async () => {
  const client = await clientOf((call) => call.json(503, { ready: false, checks: { store: 'unreachable' } }));
  expect(await client.ready()).toEqual({ ready: false, checks: { store: 'unreachable' } });
});

it('will not send tokens in the clear', () => {
  const token = async () => 'token-1';
  expect(() => new LiveResponseClient({ server: 'http://lr.example', token })).toThrow(/https/);
});
