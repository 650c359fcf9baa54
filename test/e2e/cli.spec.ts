import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { historyFaults } from '../../cli/history/verifyHistory.ts';
import type { Envelope } from '../../sdk/index.ts';
import { openTerminal, type Terminal } from '../support/lr.ts';
import { objectsOf } from '../support/objects.ts';
import { eventually, responder } from '../support/responders.ts';

let terminal: Terminal;

beforeAll(async () => {
  terminal = await openTerminal();
});
afterAll(() => terminal.remove());

/** The session that was opened for this reason. The list may be moments behind. */
const sessionFor = (reason: string) =>
  eventually('the session is listed with all its commands', async () => {
    for await (const session of responder('ana').sessions()) {
      if (session.reason !== reason) continue;
      return session.status === 'ended' && session.openCommands === 0 && session;
    }
    return undefined;
  });

it('lists devices', async () => {
  const { deviceId } = inject('cloud').device;
  const { exitCode, stdout, stderr } = await terminal.lr(['devices', '--json']);
  expect([exitCode, stderr]).toEqual([0, '']);
  const found = objectsOf(stdout).filter((device) => device['deviceId'] === deviceId);
  expect(found).toMatchObject([{ name: 'this-machine', platform: 'linux', status: 'enrolled' }]);
  const table = await terminal.lr(['devices']);
  expect(table.exitCode).toBe(0);
  expect(table.stdout).toContain(deviceId);
});

it('runs lines on this machine, and their history verifies', async () => {
  const reason = `two lines ${randomUUID()}`;
  const lines = ['dir /etc', 'processes'];
  const run = await terminal.lr(['run', 'this-machine', ...lines, '--json', '--reason', reason]);
  expect([run.exitCode, run.stderr]).toEqual([0, '']);
  const results = objectsOf(run.stdout);
  expect(results).toMatchObject(lines.map((line) => ({ line, state: 'Completed', error: null })));
  expect(run.stdout).toContain('"hosts"');
  expect(run.stdout).toContain(String(inject('cloud').device.pid));

  const session = await sessionFor(reason);
  expect(session).toMatchObject({ end: 'Disconnected', commands: 2 });
  const listed = await terminal.lr(['sessions', '--status', 'ended', '--json']);
  expect(listed.exitCode).toBe(0);
  expect(objectsOf(listed.stdout)).toEqual(
    expect.arrayContaining([expect.objectContaining({ sessionId: session.sessionId, reason })]),
  );

  const file = join(terminal.folder, 'history.jsonl');
  const history = await terminal.lr(['history', session.sessionId, '--export', file]);
  expect(history.exitCode).toBe(0);
  const events = objectsOf(await readFile(file, 'utf8')) as unknown as readonly Envelope[];
  expect(history.stderr).toContain(`The chain of ${events.length} events holds`);
  expect(historyFaults(session.sessionId, events, events.length)).toEqual([]);
  const asJson = await terminal.lr(['history', session.sessionId, '--json']);
  expect(objectsOf(asJson.stdout)).toMatchObject([
    { sessionId: session.sessionId, chain: { intact: true, faults: [] }, events: { length: events.length } },
  ]);
  const issued = events.filter(({ type }) => type === 'CommandIssued').map(({ data }) => data['line']);
  expect(issued).toEqual(lines);
});

it('says with its exit code how commands ended', async () => {
  const run = async (...lines: readonly string[]) => terminal.lr(['run', 'this-machine', ...lines, '--json']);
  const failed = await run('dir /does-not-exist', 'dir /');
  expect(failed.exitCode).toBe(1);
  expect(objectsOf(failed.stdout)).toMatchObject([
    { state: 'Failed', error: { code: 'FILE_NOT_FOUND' } },
    { state: 'Completed' },
  ]);
  const refused = await run('dri /');
  expect(refused.exitCode).toBe(5);
  expect(objectsOf(refused.stdout)).toMatchObject([
    { line: 'dri /', state: 'Refused', error: { code: 'UNKNOWN_COMMAND' } },
  ]);
  const nobody = await terminal.lr(['run', 'no-such-device', 'dir /']);
  expect(nobody.exitCode).toBe(5);
  expect(nobody.stderr).toContain('no-such-device');
  const unknown = await terminal.lr(['history', randomUUID()]);
  expect(unknown.exitCode).toBe(5);
  expect(unknown.stdout).toBe('');
});

it('collects a file and brings it here', async () => {
  const original = join(terminal.folder, 'evidence one.txt');
  await writeFile(original, 'left behind\n');
  const reason = `collect ${randomUUID()}`;
  const run = await terminal.lr([
    'run',
    'this-machine',
    `getfile "${original}"`,
    '--json',
    '--reason',
    reason,
  ]);
  expect(run.exitCode).toBe(0);
  const [result] = objectsOf(run.stdout) as readonly [
    { readonly files: readonly { readonly fileId: string }[] },
  ];
  const fileId = result.files[0]?.fileId ?? '';
  const { sessionId } = await sessionFor(reason);
  const copy = join(terminal.folder, 'copy.txt');
  const download = await terminal.lr(['download', sessionId, fileId, '-o', copy]);
  expect([download.exitCode, await readFile(copy, 'utf8')]).toEqual([0, 'left behind\n']);
  const again = await terminal.lr(['download', sessionId, fileId, '-o', copy]);
  expect(again.exitCode).not.toBe(0);
});

it('takes lines from a pipe', async () => {
  const reason = `piped ${randomUUID()}`;
  const { exitCode, stdout } = await terminal.lr(['connect', 'this-machine', '--reason', reason], {
    input: 'cd /etc\ndir -output json\nconnect\nprocesses &\n',
  });
  expect(exitCode).toBe(0);
  expect(stdout).toContain('hosts');
  const session = await sessionFor(reason);
  expect(session).toMatchObject({ end: 'Disconnected', commands: 4 });
  const states: string[] = [];
  for await (const command of responder('ana').commands(session.sessionId))
    states.push(`${command.line}: ${command.state}`);
  expect(states.sort()).toEqual([
    'cd /etc: Completed',
    'connect: Completed',
    'dir -output json: Completed',
    'processes &: Completed',
  ]);
  const failing = await terminal.lr(['connect', 'this-machine'], { input: 'dir /does-not-exist\ndir /\n' });
  expect(failing.exitCode).toBe(1);
});

it('signs a person in by device code and acts as that person', async () => {
  const { authority, tenants } = inject('cloud');
  const before = await terminal.lr(['devices', '--profile', 'person']);
  expect(before.exitCode).toBe(77);
  const approvals: Promise<Response>[] = [];
  const login = await terminal.lr(['login', '--profile', 'person', '--json'], {
    onLine: (line) => {
      const { code } = JSON.parse(line) as { readonly code?: string };
      if (code === undefined) return;
      approvals.push(
        fetch(`${authority}/${tenants[0]?.id}/device/approve`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ user_code: code, user: 'ben' }),
        }),
      );
    },
  });
  expect((await Promise.all(approvals)).map(({ status }) => status)).toEqual([200]);
  expect([login.exitCode, login.stderr]).toEqual([0, '']);
  expect(objectsOf(login.stdout).at(-1)).toMatchObject({ profile: 'person', roles: ['LiveResponse.Basic'] });
  const after = await terminal.lr(['devices', '--profile', 'person', '--json']);
  expect(after.exitCode).toBe(0);
  const refused = await terminal.lr(['enrolment-token', '--profile', 'person', '--json']);
  expect(refused.exitCode).toBe(5);
  expect(refused.stderr).toContain('FORBIDDEN');
});
