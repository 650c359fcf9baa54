import { afterEach, expect, it, vi } from 'vitest';
import { type Behaviour, type LiveServer, startLiveServer } from './liveServer.ts';
import { aWorkplace, type Workplace } from './runLr.ts';

let server: LiveServer;
let place: Workplace;
const given = async (behaviour: Behaviour = {}): Promise<void> => {
  server = await startLiveServer(behaviour);
  place = await aWorkplace(server.address);
};
afterEach(async () => {
  await place.remove();
  await server.close();
});

const rows = '{"pid":1,"name":"init"}\n{"pid":4242,"name":"sshd"}\n';

it('runs the lines in order, shows a table with the numbers on the right, and disconnects', async () => {
  await given({
    execute: (execution) => {
      execution.output(execution.line === 'processes' ? rows : '/root\n', 'result');
      execution.end('Completed');
    },
  });
  const { exitCode, stdout, stderr } = await place.run([
    'run',
    'WEB',
    'processes',
    'pwdlike',
    '-r',
    'beaconing',
  ]);
  expect(stdout).toMatch(/^ +1 .*init$/m);
  expect(stdout).toMatch(/^ *4242 .*sshd$/m);
  expect(stdout.indexOf('sshd')).toBeLessThan(stdout.indexOf('/root'));
  expect(stdout).not.toContain('\u001b');
  expect(stderr).toContain('Connected to web-01');
  expect(exitCode).toBe(0);
  expect(server.events().map(({ type }) => type)).toContain('SessionDisconnected');
  expect(server.events()[0]?.data.reason).toBe('beaconing');
});

it.each([
  ['Completed', 0],
  ['Failed', 1],
  ['Cancelled', 3],
  ['TimedOut', 3],
  ['Lost', 4],
] as const)('exits for %s with %i', async (state, code) => {
  await given({ execute: (execution) => execution.end(state, { error: { code: 'X', message: 'because' } }) });
  expect((await place.run(['run', 'web-01', 'processes'])).exitCode).toBe(code);
});

it('goes on after a failure and exits with the worst end', async () => {
  await given({ execute: (execution) => execution.end(execution.line === 'a' ? 'Failed' : 'Completed') });
  const { exitCode } = await place.run(['run', 'web-01', 'a', 'b']);
  expect(exitCode).toBe(1);
  expect(server.events().filter(({ type }) => type === 'CommandIssued')).toHaveLength(2);
});

it('says why a line was refused and what to do, and exits with 5', async () => {
  await given({ refuse: () => ({ code: 'UNKNOWN_COMMAND', detail: '"procs" is no command.' }) });
  const { exitCode, stderr } = await place.run(['run', 'web-01', 'procs']);
  expect(stderr).toContain('"procs" is no command.');
  expect(stderr).toContain('Type help');
  expect(exitCode).toBe(5);
});

it('prints one JSON object per command', async () => {
  await given({
    refuse: (line) => (line === 'bad' ? { code: 'UNKNOWN_COMMAND', detail: 'No.' } : undefined),
    execute: (execution) => {
      if (execution.line === 'processes') execution.output(rows);
      else execution.output(Buffer.from('ok \xff\u009b'), 'stdout');
      execution.file('f-1', 'a.txt', Buffer.from('x'));
      execution.end(execution.line === 'processes' ? 'Completed' : 'Failed', { exitCode: 2 });
    },
  });
  const { exitCode, stdout } = await place.run(['run', 'web-01', 'processes', 'bad', 'run x', '--json']);
  const lines = stdout.trim().split('\n');
  const [first, second, third] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(first).toMatchObject({
    line: 'processes',
    state: 'Completed',
    rows: [
      { pid: 1, name: 'init' },
      { pid: 4242, name: 'sshd' },
    ],
    files: [{ fileId: 'f-1', name: 'a.txt', size: 1 }],
  });
  expect(second).toMatchObject({ line: 'bad', state: 'Refused', error: { code: 'UNKNOWN_COMMAND' } });
  expect(third).toMatchObject({ line: 'run x', state: 'Failed', exitCode: 2, text: 'ok ÿ\u009b' });
  expect(stdout).not.toContain('\u009b');
  expect(exitCode).toBe(5);
});

it('shows what a script prints on the stream that it printed it on, and its exit code', async () => {
  await given({
    execute: (execution) => {
      execution.output('out\r', 'stdout');
      execution.output('err', 'stderr');
      execution.output('\nend', 'stdout');
      execution.end('Completed', { exitCode: 7 });
    },
  });
  const shown = await place.run(['run', 'web-01', 'run x']);
  expect(shown.stdout).toBe('out\nend\n');
  expect(shown.stderr).toMatch(/^err$/m);
  expect(shown.stderr).toContain('Completed (exit code 7)');
  expect(shown.exitCode).toBe(1);
  const json = await place.run(['run', 'web-01', 'run x', '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({
    state: 'Completed',
    exitCode: 7,
    text: 'out\r\nend',
    stderr: 'err',
  });
  expect(json.exitCode).toBe(1);
});

it('says how to get a collected file', async () => {
  await given({
    execute: (execution) => {
      execution.file('f-1', 'a.txt', Buffer.from('x'));
      execution.end('Completed');
    },
  });
  const { stderr } = await place.run(['run', 'web-01', 'getfile /a.txt']);
  expect(stderr).toContain(`Get it: lr download ${server.sessionId()} f-1`);
});

it('waits at the end for what runs in the background', async () => {
  const held: (() => void)[] = [];
  await given({
    execute: (execution) => {
      if (execution.line.endsWith('&')) return void held.push(() => execution.end('Failed', { exitCode: 9 }));
      execution.end('Completed');
      for (const release of held.splice(0)) release();
    },
  });
  const { exitCode, stderr } = await place.run(['run', 'web-01', 'slow &', 'quick']);
  expect(stderr).toMatch(/slow &: Failed \(exit code 9\)/);
  expect(exitCode).toBe(1);
});

it('loses and repeats nothing when the event stream is cut', async () => {
  await given({
    execute: (execution) => {
      execution.output('one\n', 'stdout');
      server.cutStreams();
      execution.output('two\n', 'stdout');
      server.cutStreams();
      execution.output('three\n', 'stdout');
      execution.end('Completed');
    },
  });
  const { stdout } = await place.run(['run', 'web-01', 'run x']);
  expect(stdout).toBe('one\ntwo\nthree\n');
});

it('fetches output that is not in the events, and stops when it is not what was recorded', async () => {
  await given({
    execute: (execution) => {
      execution.output('small\n', 'stdout');
      execution.storedOutput('large\n', execution.line === 'good' ? 'large\n' : 'LARGE\n');
      execution.output('last\n', 'stdout');
      execution.end('Completed');
    },
  });
  const good = await place.run(['run', 'web-01', 'good']);
  expect(good.stdout).toBe('small\nlarge\nlast\n');
  expect(good.exitCode).toBe(0);
  const forged = await place.run(['run', 'web-01', 'forged']);
  expect(forged.stdout).not.toContain('LARGE');
  expect(forged.stderr).toContain('not what the device recorded');
  expect(forged.exitCode).toBe(70);
});

it('shows hostile output and never obeys it', async () => {
  await given({
    device: { name: 'web\u001b[2J-01' },
    execute: (execution) => {
      const hostile = '\u001b]0;owned\u0007\u202etxt.exe\u009b31m\rgone\u200b\n';
      if (execution.line.startsWith('processes'))
        execution.output(`${JSON.stringify({ pid: 1, name: hostile })}\n`);
      else execution.output(hostile, 'stdout');
      execution.end('Failed', { error: { code: 'X', message: 'bad \u001b[31m' } });
    },
  });
  const table = await place.run(['run', 'web', 'processes']);
  const text = await place.run(['run', 'web', 'run x']);
  const json = await place.run(['run', 'web', 'processes -output json']);
  const list = await place.run(['devices']);
  for (const { stdout, stderr } of [table, text, json, list]) {
    // biome-ignore lint: exactly these must not come through
    expect(stdout + stderr).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u202e]/);
  }
  expect(text.stdout).toBe('␛]0;owned␇<U+202E>txt.exe<U+009B>31m␍gone<U+200B>\n');
  expect(text.stderr).toContain('bad ␛[31m');
  expect(table.stdout).toContain('␛]0;owned␇<U+202E>txt.exe<U+009B>31m␍gone<U+200B>␊');
  expect((JSON.parse(json.stdout) as { name: string }).name).toContain('\u202etxt.exe\u009b31m\r');
  expect(list.stdout).toContain('web␛[2J-01');
});

it('cancels on the device when it is interrupted', async () => {
  await given({ execute: () => {} });
  const running = place.start(['run', 'web-01', 'slow', 'never']);
  await running.saw(/Connected/);
  while (server.running.size === 0) await new Promise((resolve) => setImmediate(resolve));
  running.child.kill('SIGINT');
  const { exitCode, stderr } = await running.finished;
  expect(stderr).toContain('Not run any more: never');
  expect(exitCode).toBe(3);
  expect(server.events().map(({ type }) => type)).toEqual(
    expect.arrayContaining(['CommandCancelRequested', 'CommandCancelled', 'SessionDisconnected']),
  );
});

it('says that the device refused the session', async () => {
  await given({
    connect: (append) =>
      append([
        { type: 'SessionRefused', data: { code: 'BUSY', message: 'An update is under way.', at: '' } },
      ]),
  });
  const { exitCode, stderr } = await place.run(['run', 'web-01', 'processes']);
  expect(stderr).toContain('The device refused the session: An update is under way.');
  expect(exitCode).toBe(5);
});

it('exits with 64 for wrong usage or configuration, 5 for an unknown device, 69 without a server', async () => {
  await given();
  expect((await place.run(['run', 'web-01'])).exitCode).toBe(64);
  expect((await place.run(['fly'])).exitCode).toBe(64);
  expect((await place.run(['run', 'db', 'processes'])).exitCode).toBe(5);
  const json = await place.run(['devices', '--json', '--profile', 'other']);
  expect(json.exitCode).toBe(64);
  expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: 'NO_PROFILE' } });
  const nobody = await aWorkplace();
  const { exitCode, stderr } = await nobody.run(['devices']);
  expect(exitCode).toBe(64);
  expect(stderr).toContain('lr login --server');
  await nobody.remove();
  await server.close();
  // No jitter, no wait: it tries as often as ever.
  vi.spyOn(Math, 'random').mockReturnValue(0);
  const unanswered = await place.run(['devices']);
  vi.restoreAllMocks();
  expect(unanswered.exitCode).toBe(69);
  expect(unanswered.stderr).toContain('ECONNREFUSED');
});
