import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Behaviour, type Execution, type LiveServer, startLiveServer } from './liveServer.ts';
import { aWorkplace, lr, type Workplace } from './runLr.ts';
import { hasPseudoTerminal, keys, openScreen, type Screen, withoutChance } from './screen.ts';

// Each `lr` is a process of its own, and machines are slow at times.
vi.setConfig({ testTimeout: 90_000 });

let server: LiveServer;
let place: Workplace;
const screens: Screen[] = [];
const given = async (behaviour: Behaviour = {}): Promise<void> => {
  server = await startLiveServer(behaviour);
  place = await aWorkplace(server.address);
};
/** A console that has just connected. */
const connected = async (columns = 80, rows = 24): Promise<Screen> => {
  const screen = openScreen([process.execPath, lr, 'connect', 'web'], {
    folder: place.folder,
    env: { LR_CONFIG: join(place.folder, 'config.json') },
    columns,
    rows,
  });
  screens.push(screen);
  await screen.shows(/web-01:\S+>$/);
  return screen;
};
afterEach(async () => {
  for (const screen of screens.splice(0)) screen.kill();
  await place.remove();
  await server.close();
});

const expectScreen = (screen: Screen, name: string): Promise<void> =>
  expect(`${withoutChance(screen.text())}\n`).toMatchFileSnapshot(
    join(import.meta.dirname, 'golden', `${name}.txt`),
  );
const lines = () =>
  server
    .events()
    .filter(({ type }) => type === 'CommandIssued')
    .map(({ data }) => data['line']);
const rows = (...given: readonly object[]): string => given.map((row) => `${JSON.stringify(row)}\n`).join('');

const answering =
  (answers: Readonly<Record<string, string>>) =>
  (execution: Execution): void => {
    const output = answers[execution.line];
    if (output !== undefined) execution.output(output);
    execution.end('Completed');
  };

const listing = (directory: string, names: Readonly<Record<string, 'file' | 'directory'>>): string =>
  rows(
    ...Object.entries(names).map(([name, kind]) => ({ name, kind, path: `${directory}/${name}`, size: 1 })),
  );

describe.skipIf(!hasPseudoTerminal)('the console on a screen', () => {
  it('wraps what is too long for the terminal, cuts it when asked to, and searches it', async () => {
    const found = rows(
      { pid: 1, name: 'init', commandLine: '/sbin/init splash', user: 'root' },
      { pid: 4242, name: 'sshd', commandLine: '/usr/sbin/sshd -D -o AuthorizedKeysCommand=/usr/bin/keys %u' },
    );
    await given({ execute: answering({ processes: found }) });
    const screen = await connected(72);
    screen.type('processes\r');
    await screen.shows(/sshd[^]*root>$/);
    screen.type('cut on\r');
    await screen.shows(/are cut[^]*root>$/);
    screen.type('processes\r');
    await screen.shows(/…[^]*root>$/);
    screen.type('/SPLASH\r');
    await screen.shows(/Nothing shown[^]*root>$/);
    screen.type('/sshd\r');
    await screen.shows(/processes\n +\d+ +4242[^]*root>$/);
    await expectScreen(screen, 'tables');
    expect(lines()).toEqual(['processes', 'processes']);
    screen.type(keys.ctrl('d'));
    expect(await screen.exited).toBe(0);
  });

  it('completes what the session has seen, and asks the device only when Tab is pressed again', async () => {
    await given({
      capabilities: ['cd', 'dir', 'getfile'],
      execute: answering({
        'dir /etc &': listing('/etc', { ssh: 'directory', shadow: 'file', 'a b': 'file', hosts: 'file' }),
        'dir /etc/ssh &': listing('/etc/ssh', { sshd_config: 'file', moduli: 'file' }),
      }),
    });
    const screen = await connected();
    screen.type('ge\t');
    await screen.shows(/> get$/);
    screen.type('\t');
    await screen.shows(/get +Collect a file from the device\.\ngetfile/);
    screen.type('f\t/etc/s\t');
    await screen.shows(/Tab again to list it on the device, recorded as\sdir \/etc &\./);
    expect(lines()).toEqual([]);
    screen.type('\t');
    await screen.shows(/shadow +ssh\/\n/);
    await expectScreen(screen, 'completion');
    // What was listed is known from now on.
    screen.type('s\t');
    await screen.shows(/getfile \/etc\/ssh\/$/);
    screen.type('\t\tm\t');
    await screen.shows(/getfile \/etc\/ssh\/moduli$/);
    screen.type('\r');
    await screen.shows(/moduli \n[^]*root>$/);
    screen.type('cd /etc/\t');
    await screen.shows(/cd \/etc\/ssh\/$/);
    screen.type(`${keys.ctrl('u')}getfile /etc/a\t`);
    await screen.shows(/getfile "\/etc\/a b"$/);
    screen.type(`${keys.ctrl('u')}\r`);
    expect(lines()).toEqual(['dir /etc &', 'dir /etc/ssh &', 'getfile /etc/ssh/moduli']);
    // Up has only what the responder typed.
    screen.type(keys.up);
    await screen.shows(/> getfile \/etc\/ssh\/moduli$/);
  });

  it('says why the device could not be asked', async () => {
    await given({
      refuse: (line) =>
        line === 'dir /etc &' ? { code: 'BACKGROUND_LIMIT', detail: 'Ten commands run already.' } : undefined,
      execute: (execution) =>
        execution.end('Failed', { error: { code: 'FILE_NOT_FOUND', message: '/nope does not exist.' } }),
    });
    const screen = await connected();
    screen.type('dir /etc/\t\t');
    await screen.shows(/Ten commands run already\.\n.*dir \/etc\/$/);
    screen.type(`${keys.ctrl('u')}dir /nope/\t\t`);
    await screen.shows(/\/nope does not exist\.\n.*dir \/nope\/$/);
  });

  it('keeps the lines for the next session, searches them with Ctrl+R, and keeps no secrets', async () => {
    await given();
    const first = await connected();
    for (const line of ['dir /var/log', 'dir /etc', 'run x -parameters "password=hunter2"', ' cd /secret']) {
      first.type(`${line}\r`);
      await first.shows(new RegExp(`${line.replaceAll('"', '.')}\\n[^]*root>$`));
    }
    first.type('exit\r');
    expect(await first.exited).toBe(0);
    const file = join(place.folder, 'history', 'test');
    expect(await readFile(file, 'utf8')).toBe('dir /var/log\ndir /etc\nexit\n');
    expect((await stat(file)).mode & 0o777).toBe(0o600);

    const second = await connected();
    second.type(`half${keys.ctrl('r')}dir`);
    await second.shows(/search 'dir': dir \/etc$/);
    second.type(keys.ctrl('r'));
    await second.shows(/search 'dir': dir \/var\/log$/);
    second.type('x');
    await second.shows(/no line has 'dirx': dir \/var\/log$/);
    await expectScreen(second, 'search');
    second.type(keys.ctrl('g'));
    await second.shows(/root> half$/);
    second.type(`${keys.ctrl('r')}var${keys.enter}`);
    await second.shows(/dir \/var\/log\n[^]*root>$/);
    second.type(`${keys.ctrl('r')}/etc${keys.escape}`);
    await second.shows(/root> dir \/etc$/);
    expect(lines()).toEqual(['dir /var/log']);
  });

  it('shows escape sequences and marks from the device, and obeys none', async () => {
    const hostile = [
      '\u001b]0;owned\u0007title',
      '\u001b[2J\u001b[31mred\u001b[0m',
      '\u009b2Jc1\u0085next',
      '\u001b]8;;http://evil\u001b\\link\u001b]8;;\u001b\\',
      '\u001bPdcs\u001b\\ \u001b[?1049h \u001bc',
      'a\u202etxt.exe\u202c \u2066iso\u2069 \u200ezero\u200b\ufeff',
      'line\u2028separator\u2029 nul\u0000 bell\u0007 back\b\b over\rwritten',
    ].join('\n');
    await given({
      execute: (execution) => {
        execution.output(hostile, 'stdout');
        execution.end('Failed', { exitCode: 1, error: { code: 'X', message: 'no\u001b[2J\u202e' } });
      },
    });
    const screen = await connected();
    const titles: string[] = [];
    screen.terminal.onTitleChange((title) => titles.push(title));
    screen.type('run x\r');
    await screen.shows(/Failed[^]*root>$/);
    await expectScreen(screen, 'hostile');
    expect(titles).toEqual([]);
    expect(screen.terminal.buffer.active.type).toBe('normal');
  });

  it('says what to do about a refusal and about a command that failed', async () => {
    await given({
      refuse: (line) =>
        line === 'processes' ? { code: 'FOREGROUND_BUSY', detail: 'A command runs already.' } : undefined,
      execute: (execution) =>
        execution.end('Failed', { error: { code: 'ACCESS_DENIED', message: 'Access to /x is denied.' } }),
    });
    const screen = await connected();
    screen.type('processes\r');
    await screen.shows(/A command runs already[^]*root>$/);
    screen.type('fileinfo /x\r');
    await screen.shows(/Access to \/x[^]*root>$/);
    await expectScreen(screen, 'refusals');
  });

  it('loses no line when the connection is cut, nor what is being typed', async () => {
    await given({
      execute: (execution) => {
        if (execution.line === 'slow &') return;
        execution.output('one\n', 'stdout');
        if (execution.line === 'run x') return;
        execution.output('two\n', 'stdout');
        execution.end('Completed');
      },
    });
    const screen = await connected(60);
    screen.type('run x\r');
    await screen.shows(/one$/);
    server.cutStreams();
    server.running.get('run x')?.output('two\n', 'stdout');
    server.running.get('run x')?.end('Completed');
    await screen.shows(/one\n[^]*two\n[^]*root>$/);
    screen.type('slow &\r');
    await screen.shows(/In the background[^]*root>$/);
    const long = 'fileinfo /a/path/that/is/longer/than/one/row/of/this/terminal';
    screen.type(`${long} -o`);
    await screen.shows(/terminal -o$/);
    server.cutStreams();
    server.running.get('slow &')?.output('three\n', 'stdout');
    server.running.get('slow &')?.end('Completed');
    await screen.shows(/slow &: Completed[^]*-o$/);
    screen.type('utput json\r');
    await screen.shows(/json\n[^]*two\n[^]*root>$/);
    expect(lines()).toEqual(['run x', 'slow &', `${long} -output json`]);
    await expectScreen(screen, 'reconnected');
  });

  it('shows how far a download is, stops it with Ctrl+C, and goes on where it was', async () => {
    const fileId = '7d6a2f10-0000-4000-8000-0000000000f1';
    const content = randomBytes(200_000);
    let downloads = 0;
    await given({
      execute: (execution) => {
        execution.file(fileId, 'memory.dmp', content);
        execution.end('Completed');
      },
      download: (response, whole) => {
        downloads += 1;
        if (downloads > 1) return void response.end(whole);
        // Half of it, and then nothing more.
        response.writeHead(200, { 'content-length': whole.length });
        response.write(whole.subarray(0, 100_000));
      },
    });
    const screen = await connected();
    screen.type('getfile /memory.dmp\r');
    await screen.shows(/Get it: download[^]*root>$/);
    screen.type(`download ${fileId.slice(0, 8)}\r`);
    await screen.shows(/memory\.dmp \[█+·+\] +50 % of 195 KiB/);
    screen.type(keys.ctrl('c'));
    await screen.shows(/stopped[^]*root>$/);
    screen.type(`download ${fileId.slice(0, 8)}\r`);
    await screen.shows(/as collected[^]*root>$/);
    expect(content.equals(await readFile(join(place.folder, 'memory.dmp')))).toBe(true);
  });
});
