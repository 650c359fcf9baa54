import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import tls from 'node:tls';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { catalogue } from '../../domain/catalogue/index.ts';
import type { SessionEvent } from '../../domain/session/index.ts';
import type { LiveResponseClient } from '../../sdk/index.ts';
import { holdersOf } from '../support/openFiles.ts';
import { rawUser } from '../support/rawCalls.ts';
import { eventsOf } from '../support/recordedEvents.ts';
import {
  commandEnded,
  commandStarted,
  eventually,
  inSession,
  responder,
  rowsOf,
} from '../support/responders.ts';
import { writeSlowFile } from '../support/slowFile.ts';

type Parts = Extract<SessionEvent, { type: 'CommandOutputRecorded' }>['data'];

let folder = '';
let slowFile = '';
let slowLine = '';

beforeAll(async () => {
  folder = await mkdtemp(join(inject('cloud').dataDir, 'commands-'));
  slowFile = await writeSlowFile(join(folder, 'slow.bin'));
  slowLine = `fileinfo "${slowFile}"`;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const countOf = async (
  client: LiveResponseClient,
  sessionId: string,
  commandId: string,
): Promise<Readonly<Record<string, number>>> => {
  const counts: Record<string, number> = {};
  for (const { type, data } of await eventsOf(client, sessionId)) {
    if (data['commandId'] === commandId) counts[type] = (counts[type] ?? 0) + 1;
  }
  return counts;
};

it('runs one command in the foreground and others in the background', async () => {
  const ana = responder('ana');
  const user = rawUser('ana');
  await inSession(ana, async ({ sessionId }) => {
    const first = await ana.issueCommand(sessionId, slowLine);
    const busy = await user.issue(sessionId, 'dir /');
    expect(busy.status).toBe(409);
    expect(busy.body).toMatchObject({
      code: 'FOREGROUND_BUSY',
      commandId: first.commandId,
      name: 'fileinfo',
    });
    const beside = await ana.issueCommand(sessionId, 'dir / &', { wait: 60 });
    expect(beside).toMatchObject({ state: 'Completed', background: true, line: 'dir / &' });

    await commandStarted(ana, sessionId, first.commandId);
    const moved = await ana.sendToBackground(sessionId, first.commandId);
    expect(moved).toMatchObject({ commandId: first.commandId, background: true, state: 'Started' });
    expect((await ana.session(sessionId)).foreground).toBeNull();
    expect((await ana.issueCommand(sessionId, 'dir /', { wait: 60 })).state).toBe('Completed');

    const fetched = await ana.issueCommand(sessionId, `fg ${first.commandId}`);
    expect(fetched).toMatchObject({ state: 'Completed', error: null });
    expect((await ana.session(sessionId)).foreground).toBe(first.commandId);
    const busyAgain = await user.issue(sessionId, 'dir /');
    expect([busyAgain.status, busyAgain.body['code']]).toEqual([409, 'FOREGROUND_BUSY']);
    const fetchedTwice = await ana.issueCommand(sessionId, `fg ${first.commandId}`);
    expect(fetchedTwice).toMatchObject({ state: 'Failed', error: { code: 'NOT_IN_BACKGROUND' } });
    const nobody = await ana.issueCommand(sessionId, `fg ${randomUUID()}`);
    expect(nobody).toMatchObject({ state: 'Failed', error: { code: 'COMMAND_UNKNOWN' } });

    await ana.cancelCommand(sessionId, first.commandId);
    await commandEnded(ana, sessionId, first.commandId);
    const types = (await eventsOf(ana, sessionId))
      .filter(({ data }) => data['commandId'] === first.commandId)
      .map(({ type }) => type);
    expect(types).toEqual([
      'CommandIssued',
      'CommandStarted',
      'CommandSentToBackground',
      'CommandBroughtToForeground',
      'CommandCancelRequested',
      'CommandCancelReached',
      'CommandCancelled',
    ]);
  });
});

it('cancels a running command once, however often it is asked, and nothing of it is left', async () => {
  const ana = responder('ana');
  const user = rawUser('ana');
  await inSession(ana, async ({ sessionId }) => {
    const { commandId } = await ana.issueCommand(sessionId, slowLine);
    await commandStarted(ana, sessionId, commandId);
    await eventually('a process reads the file', async () => (await holdersOf(slowFile)).length > 0);
    const path = `/sessions/${sessionId}/commands/${commandId}/cancel`;
    const asked = await Promise.all([user.call('POST', path), user.call('POST', path)]);
    for (const { status, body } of asked) {
      expect(status).toBe(202);
      expect(body).toMatchObject({ commandId, cancelRequested: true });
    }
    expect(await commandEnded(ana, sessionId, commandId)).toMatchObject({ state: 'Cancelled' });
    const end = (await eventsOf(ana, sessionId)).find(({ type }) => type === 'CommandCancelled');
    expect(end?.data).toMatchObject({ commandId, processesGone: true });
    expect(await holdersOf(slowFile)).toEqual([]);
    const late = await user.call('POST', path);
    expect(late.status).toBe(202);
    expect(late.body).toMatchObject({ state: 'Cancelled' });
    expect(await countOf(ana, sessionId, commandId)).toEqual({
      CommandIssued: 1,
      CommandStarted: 1,
      CommandCancelRequested: 1,
      CommandCancelReached: 1,
      CommandCancelled: 1,
    });
  });
});

it('leaves a command that has ended as it ended', async () => {
  const ana = responder('ana');
  await inSession(ana, async ({ sessionId }) => {
    const command = await ana.runCommand(sessionId, 'dir /');
    const { version } = await ana.session(sessionId);
    expect(await ana.cancelCommand(sessionId, command.commandId)).toEqual(command);
    expect(await ana.sendToBackground(sessionId, command.commandId)).toEqual(command);
    expect((await ana.session(sessionId)).version).toBe(version);
  });
});

it('waits for the end of a command as long as it is asked to', async () => {
  const ana = responder('ana');
  const user = rawUser('ana');
  await inSession(ana, async ({ sessionId }) => {
    expect((await ana.issueCommand(sessionId, 'dir /', { wait: 30 })).state).toBe('Completed');
    const began = performance.now();
    const unfinished = await ana.issueCommand(sessionId, slowLine, { wait: 2 });
    const waited = performance.now() - began;
    expect(unfinished).toMatchObject({ state: 'Started', endedAt: null });
    expect(waited).toBeGreaterThanOrEqual(2_000);
    expect(waited).toBeLessThan(15_000);
    for (const wait of ['61', '-1', 'x', '1.5']) {
      const refused = await user.call('POST', `/sessions/${sessionId}/commands?wait=${wait}`, {
        body: { line: 'jobs' },
        headers: { 'idempotency-key': randomUUID() },
      });
      expect([wait, refused.status, refused.body['code']]).toEqual([wait, 400, 'QUERY_INVALID']);
    }
    await ana.cancelCommand(sessionId, unfinished.commandId);
    expect(await commandEnded(ana, sessionId, unfinished.commandId)).toMatchObject({ state: 'Cancelled' });
  });
});

it('runs a command once that is sent many times under one key', async () => {
  const ana = responder('ana');
  const user = rawUser('ana');
  await inSession(ana, async ({ sessionId }) => {
    const commandId = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => user.issue(sessionId, 'dir /etc', commandId)),
    );
    expect(answers.map(({ status, body }) => [status, body['commandId']])).toEqual(
      answers.map(() => [202, commandId]),
    );
    await commandEnded(ana, sessionId, commandId);
    const upperCase = await user.issue(sessionId, 'dir /etc', commandId.toUpperCase());
    expect(upperCase.status).toBe(202);
    expect(upperCase.body).toMatchObject({ commandId, state: 'Completed' });
    const other = await user.issue(sessionId, 'dir /', commandId);
    expect([other.status, other.body['code']]).toEqual([409, 'IDEMPOTENCY_MISMATCH']);
    const background = await user.issue(sessionId, 'dir /etc &', commandId);
    expect([background.status, background.body['code']]).toEqual([409, 'IDEMPOTENCY_MISMATCH']);
    expect(await countOf(ana, sessionId, commandId)).toEqual({
      CommandIssued: 1,
      CommandStarted: 1,
      CommandOutputRecorded: 1,
      CommandCompleted: 1,
    });
  });
});

/** Sends a whole request and hangs up, after `pause`, without reading an answer. */
const sendAndHangUp = async (
  sessionId: string,
  commandId: string,
  line: string,
  token: string,
  pause: () => Promise<unknown>,
): Promise<void> => {
  const { hostname, port } = new URL(inject('cloud').url);
  const body = JSON.stringify({ line });
  const socket = tls.connect({ host: hostname, port: Number(port), servername: hostname });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('secureConnect', resolve);
  });
  const head = [
    `POST /api/sessions/${sessionId}/commands?wait=30 HTTP/1.1`,
    `host: ${hostname}:${port}`,
    `authorization: Bearer ${token}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    `idempotency-key: ${commandId}`,
    `x-correlation-id: hung-up-${commandId}`,
  ];
  await new Promise<void>((resolve) => {
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`, () => resolve());
  });
  await pause();
  socket.destroy();
};

it('runs a command once whose sender hung up and sent it again', async () => {
  const ana = responder('ana');
  const user = rawUser('ana');
  const token = await user.token();
  await inSession(ana, async ({ sessionId }) => {
    const isIssued = (commandId: string): Promise<unknown> =>
      eventually('the command of the request is issued', async () => {
        const { status } = await user.call('GET', `/sessions/${sessionId}/commands/${commandId}`);
        return status === 200;
      });
    const pauses: readonly ((commandId: string) => Promise<unknown>)[] = [
      () => Promise.resolve(),
      () => Promise.resolve(),
      () => setTimeout(10),
      () => setTimeout(40),
      isIssued,
    ];
    const issuedBy: unknown[] = [];
    for (const pause of pauses) {
      const commandId = randomUUID();
      const line = `dir "${folder}"`;
      await sendAndHangUp(sessionId, commandId, line, token, () => pause(commandId));
      const again = await user.issue(sessionId, line, commandId);
      expect(again.status).toBe(202);
      expect(again.body['commandId']).toBe(commandId);
      expect((await commandEnded(ana, sessionId, commandId)).state).toBe('Completed');
      expect(await countOf(ana, sessionId, commandId)).toEqual({
        CommandIssued: 1,
        CommandStarted: 1,
        CommandOutputRecorded: 1,
        CommandCompleted: 1,
      });
      const issued = (await eventsOf(ana, sessionId)).find(
        ({ type, data }) => type === 'CommandIssued' && data['commandId'] === commandId,
      );
      issuedBy.push(issued?.metadata.correlationId === `hung-up-${commandId}`);
    }
    // Whether a request counts whose sender has gone at once is open; one that was taken counts.
    expect(issuedBy.at(-1)).toBe(true);
  });
});

it('answers what needs no device by itself', async () => {
  const ana = responder('ana');
  const ben = responder('ben');
  const { device } = inject('cloud');
  await inSession(ana, async ({ sessionId, capabilities }) => {
    const slow = await ana.issueCommand(sessionId, `${slowLine} &`);
    await commandStarted(ana, sessionId, slow.commandId);
    const answer = async (line: string, client = ana) => {
      const command = await client.issueCommand(sessionId, line);
      return { command, rows: await rowsOf(ana, sessionId, command.commandId) };
    };

    const connection = await answer('connect');
    expect(connection.command).toMatchObject({ state: 'Completed', duration: 0 });
    expect(connection.rows).toMatchObject([
      { sessionId, deviceId: device.deviceId, platform: 'linux', directory: '/', capabilities },
    ]);

    const jobs = await answer('jobs');
    expect(jobs.rows).toMatchObject([
      { commandId: slow.commandId, name: 'fileinfo', state: 'Started', background: true },
    ]);
    expect(jobs.rows).toHaveLength(1);

    const running = await answer(`status ${slow.commandId}`);
    expect(running.rows).toMatchObject([
      { commandId: slow.commandId, state: 'Started', endedAt: null, exitCode: null },
    ]);
    await ana.cancelCommand(sessionId, slow.commandId);
    await commandEnded(ana, sessionId, slow.commandId);
    expect((await answer(`status ${slow.commandId}`)).rows).toMatchObject([{ state: 'Cancelled' }]);
    expect((await answer('jobs')).rows).toEqual([]);
    expect((await answer(`status ${randomUUID()}`)).command).toMatchObject({
      state: 'Failed',
      error: { code: 'COMMAND_UNKNOWN' },
    });

    const list = await ana.runCommand(sessionId, 'dir /etc');
    const shown = await answer(`status ${list.commandId}`);
    const whole = await new Response(await ana.output(sessionId, list.commandId)).text();
    const { output } = shown.rows[0] as { readonly output: string };
    expect(output.length).toBeGreaterThan(1_000);
    expect(whole.startsWith(output)).toBe(true);

    expect(await answer('cls')).toMatchObject({ command: { state: 'Completed' }, rows: [] });

    const names = (rows: readonly Record<string, unknown>[]) => rows.map(({ name }) => name);
    const announced = catalogue.filter(
      ({ name, runsOn }) => runsOn !== 'device' || capabilities.includes(name),
    );
    const mine = await answer('help');
    expect(names(mine.rows)).toEqual(announced.map(({ name }) => name));
    const basic = await answer('help', ben);
    expect(names(basic.rows)).toEqual(
      announced.filter(({ level }) => level === 'basic').map(({ name }) => name),
    );
    expect((await answer('help dir')).rows).toMatchObject([{ name: 'dir' }]);
    const devices = (await eventsOf(ana, sessionId)).filter(
      ({ type, data }) => type === 'CommandIssued' && data['runsOn'] === 'server',
    );
    expect(devices.every(({ data }) => data['signed'] === null)).toBe(true);
  });
});

it('gives long output whole, as its recorded parts and their hashes say', async () => {
  const ana = responder('ana');
  const many = join(folder, 'many');
  await mkdir(many);
  const expected = Array.from({ length: 3_000 }, (_, index) => `file number ${index} ☂.txt`);
  for (let from = 0; from < expected.length; from += 500)
    await Promise.all(expected.slice(from, from + 500).map((name) => writeFile(join(many, name), '')));
  expect(await readdir(many)).toHaveLength(3_000);
  await inSession(ana, async ({ sessionId }) => {
    const command = await ana.runCommand(sessionId, `dir "${many}"`);
    expect(command.state).toBe('Completed');
    const whole = Buffer.from(
      await new Response(await ana.output(sessionId, command.commandId)).arrayBuffer(),
    );
    const rows = whole
      .toString()
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { readonly name: string }).name);
    expect([...rows].sort()).toEqual([...expected].sort());
    const parts = (await eventsOf(ana, sessionId))
      .filter(({ type, data }) => type === 'CommandOutputRecorded' && data['commandId'] === command.commandId)
      .map(({ data }) => data as unknown as Parts);
    expect(parts.length).toBeGreaterThan(0);
    expect(parts.some(({ blob }) => blob !== null)).toBe(true);
    let offset = 0;
    parts.forEach((part, index) => {
      expect(part.part).toBe(index + 1);
      expect(part.offset).toBe(offset);
      const bytes = whole.subarray(offset, offset + part.size);
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(part.sha256);
      if (part.inline !== null) {
        expect(part.size).toBeLessThanOrEqual(8 * 1024);
        expect(Buffer.from(part.inline.text).equals(bytes)).toBe(true);
      } else {
        expect(part.blob).not.toBeNull();
      }
      offset += part.size;
    });
    expect(offset).toBe(whole.length);
    expect(command.outputSize).toBe(whole.length);
  });
});
