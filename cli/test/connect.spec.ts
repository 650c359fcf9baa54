import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Behaviour, type LiveServer, startLiveServer } from './liveServer.ts';
import { aWorkplace, lr, type RunningLr, type Workplace, watch } from './runLr.ts';

// Each `lr` is a process of its own, and machines are slow at times.
vi.setConfig({ testTimeout: 90_000 });

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

const lines = () =>
  server
    .events()
    .filter(({ type }) => type === 'CommandIssued')
    .map(({ data }) => data.line);
const types = () => server.events().map(({ type }) => type);

describe('from a pipe', () => {
  it('runs line by line, keeps some words to itself, and exits with the worst end', async () => {
    await given({
      execute: (execution) => {
        execution.output(`did ${execution.line}\n`, 'stdout');
        execution.end(execution.line === 'b' ? 'Failed' : 'Completed');
      },
    });
    const { exitCode, stdout } = await place.run(['connect', 'web'], 'a\n\ncls\n  b\nexit\nnever\n');
    expect(stdout).toBe('did a\ndid b\n');
    expect(lines()).toEqual(['a', 'b']);
    expect(types().at(-1)).toBe('SessionDisconnected');
    expect(exitCode).toBe(1);
  });

  it('prints one JSON object per command with --json', async () => {
    await given({
      execute: (execution) => {
        execution.output(`did ${execution.line}\n`, 'stdout');
        execution.end('Completed');
      },
    });
    const { exitCode, stdout } = await place.run(
      ['connect', 'web', '--json'],
      'run a\n\ncls\nrun b\nexit\nnever\n',
    );
    const ends = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(ends).toMatchObject([
      { line: 'run a', state: 'Completed', text: 'did run a\n' },
      { line: 'run b', state: 'Completed', text: 'did run b\n' },
    ]);
    expect(lines()).toEqual(['run a', 'run b']);
    expect(exitCode).toBe(0);
  });

  it('writes redirected output to a new file and never over another', async () => {
    await given({
      execute: (execution) => {
        execution.output('{"pid":1,"name":"init"}\n');
        execution.end('Completed');
      },
    });
    await writeFile(join(place.folder, 'there.txt'), 'mine');
    const input = 'processes > new.txt\nprocesses > there.txt\nprocesses -output json > rows.jsonl\n';
    const { exitCode, stdout, stderr } = await place.run(['connect', 'web-01'], input);
    expect(stdout).toBe('');
    expect(await readFile(join(place.folder, 'new.txt'), 'utf8')).toMatch(/pid.*name[^]*1 .*init/);
    expect(await readFile(join(place.folder, 'rows.jsonl'), 'utf8')).toBe('{"pid":1,"name":"init"}\n');
    expect(await readFile(join(place.folder, 'there.txt'), 'utf8')).toBe('mine');
    expect(stderr).toContain('there.txt is already there');
    expect(lines()).toHaveLength(2);
    expect(exitCode).toBe(5);
  });

  it('makes no file for a line that is refused', async () => {
    await given({ refuse: () => ({ code: 'RIGHT_MISSING', detail: 'No.' }) });
    await place.run(['connect', 'web-01'], 'processes > new.txt\n');
    expect(existsSync(join(place.folder, 'new.txt'))).toBe(false);
  });

  it('tells how to get a collected file, and gets it', async () => {
    const fileId = '7d6a2f10-0000-4000-8000-0000000000f1';
    await given({
      execute: (execution) => {
        if (execution.line.startsWith('getfile')) execution.file(fileId, 'a.bin', Buffer.from('content'));
        execution.end('Completed');
      },
    });
    const input = `getfile /a.bin\ndownload ${fileId.slice(0, 12)}\ndownload /etc/passwd\n`;
    const { stderr } = await place.run(['connect', 'web-01'], input);
    expect(stderr).toContain(`Get it: download ${fileId}`);
    expect(await readFile(join(place.folder, 'a.bin'), 'utf8')).toBe('content');
    // Anything but a known file is the device's business.
    expect(lines()).toEqual(['getfile /a.bin', 'download /etc/passwd']);
  });

  it('ends when the session does, and says why', async () => {
    await given({
      execute: (execution) => {
        execution.end('Completed');
        server.append([{ type: 'SessionExpired', data: { idle: 1800, at: '' } }]);
      },
    });
    const running = place.start(['connect', 'web-01']);
    await running.saw(/Connected/);
    // The pipe stays open: only the session ends.
    running.child.stdin.write('a\n');
    const { exitCode, stderr } = await running.finished;
    expect(stderr).toContain('nothing was done in it for too long');
    expect(exitCode).toBe(4);
  });
});

const hasScript = process.platform === 'linux' && existsSync('/usr/bin/script');

/** On a real pseudo-terminal, which `script` from util-linux makes. */
describe.skipIf(!hasScript)('on a terminal', () => {
  const onTerminal = (): RunningLr => {
    const command = `'${process.execPath}' '${lr}' connect web`;
    const child = spawn('/usr/bin/script', ['-qefc', command, '/dev/null'], {
      cwd: place.folder,
      env: { ...process.env, LR_CONFIG: join(place.folder, 'config.json'), TERM: 'xterm', COLUMNS: '80' },
    });
    return watch(child);
  };
  const ctrl = { c: '\u0003', d: '\u0004', z: '\u001a' };
  const prompt = /web-01:\/root> /;

  it('shows where it is, runs a line and leaves with Ctrl+D', async () => {
    await given({
      execute: (execution) => {
        execution.output('\u001b]0;owned\u0007hello\n', 'stdout');
        execution.end('Completed', { directory: '/var' });
      },
    });
    const running = onTerminal();
    await running.saw(prompt);
    running.child.stdin.write('cd /var\r');
    await running.saw(/␛\]0;owned␇hello/);
    await running.saw(/web-01:\/var> /);
    running.child.stdin.write(ctrl.d);
    const { exitCode, stdout } = await running.finished;
    expect(exitCode).toBe(0);
    expect(stdout).not.toContain('\u001b]0;');
    expect(types().at(-1)).toBe('SessionDisconnected');
  });

  it('cancels the foreground command with Ctrl+C', async () => {
    await given({ execute: (execution) => execution.output('working\n', 'stdout') });
    const running = onTerminal();
    await running.saw(prompt);
    running.child.stdin.write('slow\r');
    await running.saw(/working/);
    running.child.stdin.write(ctrl.c);
    await running.saw(/Cancelled/);
    running.child.stdin.write('exit\r');
    expect((await running.finished).exitCode).toBe(0);
    expect(types()).toContain('CommandCancelRequested');
  });

  it('stops waiting at the second Ctrl+C and reports the end later', async () => {
    await given({
      execute: (execution) => execution.output('working\n', 'stdout'),
      // The device does not react.
      cancel: () => {},
    });
    const running = onTerminal();
    await running.saw(prompt);
    running.child.stdin.write('slow\r');
    await running.saw(/working/);
    running.child.stdin.write(ctrl.c);
    await running.saw(/Ctrl\+C again/);
    running.child.stdin.write(ctrl.c);
    await running.saw(/Not waiting any more[^]*web-01:\/root> /);
    server.running.get('slow')?.output('late\n', 'stdout');
    server.running.get('slow')?.end('TimedOut');
    await running.saw(/late[^]*TimedOut/);
    running.child.stdin.write('exit\r');
    expect((await running.finished).exitCode).toBe(0);
  });

  it('sends a command to the background with Ctrl+Z, and asks before it leaves', async () => {
    await given({
      execute: (execution) => {
        if (execution.line === 'slow') return execution.output('before\n', 'stdout');
        execution.output('quick\n', 'stdout');
        execution.end('Completed');
      },
    });
    const running = onTerminal();
    await running.saw(prompt);
    running.child.stdin.write('slow\r');
    await running.saw(/before/);
    running.child.stdin.write(ctrl.z);
    await running.saw(/before[^]*web-01:\/root> /);
    server.running.get('slow')?.output('held back\n', 'stdout');
    running.child.stdin.write('fast\r');
    await running.saw(/quick/);
    running.child.stdin.write(ctrl.d);
    await running.saw(/still runs \(slow\)/);
    running.child.stdin.write('n\r');
    await running.saw(/still runs \(slow\)[^]*web-01:\/root> /);
    server.running.get('slow')?.end('Completed');
    await running.saw(/held back[^]*slow: Completed/);
    running.child.stdin.write('exit\r');
    const { exitCode, stdout } = await running.finished;
    expect(exitCode).toBe(0);
    expect(stdout.indexOf('quick')).toBeLessThan(stdout.indexOf('held back'));
  });

  it('completes commands with Tab', async () => {
    await given();
    const running = onTerminal();
    await running.saw(prompt);
    running.child.stdin.write('hel\t');
    await running.saw(/\[15Ghelp /);
    running.child.stdin.write('\r');
    await running.saw(/\[15Ghelp \r+\n[^]*web-01:\/root> /);
    running.child.stdin.write('exit\r');
    await running.finished;
    expect(lines()).toEqual(['help']);
  });
});
