import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readOptions, UsageError } from '../commandLine/options.ts';
import { startApp } from '../commandLine/startApp.ts';
import { describe as describeError } from '../log.ts';
import { atEnd, eventually, fixture, temporaryFolder } from './startHost.ts';

const bin = fileURLToPath(new URL('../bin/local-functions.mjs', import.meta.url));

/** The fixture as an app of somebody else: outside the repository, in a folder with a space in its name. */
function copyApp(): string {
  const folder = path.join(temporaryFolder(), 'my app');
  cpSync(fixture('command-line'), folder, { recursive: true });
  symlinkSync(
    fileURLToPath(new URL('../../../node_modules', import.meta.url)),
    path.join(folder, 'node_modules'),
  );
  return folder;
}

interface Run {
  child: ChildProcess;
  ended: Promise<number | null>;
  out(): string;
  err(): string;
}

function run(cwd: string, args: string[], environment: Record<string, string> = {}): Run {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  atEnd(() => void child.kill('SIGKILL'));
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, ended, out: () => out, err: () => err };
}

interface Started extends Run {
  url: string;
  hostKey: string;
}

async function start(
  cwd: string,
  args: string[] = [],
  environment: Record<string, string> = {},
): Promise<Started> {
  const started = run(cwd, ['start', '--port', '0', ...args], environment);
  const url = await eventually(() => {
    if (started.child.exitCode !== null) throw new Error(`It ended:\n${started.err()}`);
    return /Ready at (\S+)\. /.exec(started.out())?.[1];
  }, 60_000);
  return { ...started, url, hostKey: /Host key +(\S+)/.exec(started.out())?.[1] ?? '' };
}

const running = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Starts it where it must refuse; gives its exit code and what it says. */
async function refusal(cwd: string, ...args: string[]): Promise<{ code: number | null; text: string }> {
  const { ended, err } = run(cwd, args);
  const code = await ended;
  return { code, text: err() };
}

describe('local-functions start', () => {
  it('runs an app of any folder: HTTP, timer, durable functions, settings, CORS, keys', async () => {
    const app = copyApp();
    const { url, hostKey, out, err, child, ended } = await start(app);
    for (const line of [
      / greet +http +GET,POST http:\/\/localhost:\d+\/api\/greet\/\{name\}\n/,
      / square +activity\n/,
      / sum +http +POST http:\/\/localhost:\d+\/api\/sum \(host key\)\n/,
      / sumOfSquares +orchestration\n/,
      / tick +timer +\* \* \* \* \* \*\n/,
      / App +.*my app \(1 process\)\n/,
    ]) {
      expect(out()).toMatch(line);
    }

    const greeting = await fetch(`${url}/api/greet/ana`, { headers: { origin: 'http://localhost:5173' } });
    expect(await greeting.text()).toBe(`hello ana of ${app}`);
    expect(greeting.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
    const preflight = (origin: string) =>
      fetch(`${url}/api/greet/ana`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-a' },
      });
    const allowed = await preflight('http://localhost:5173');
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-methods')).toBe('GET');
    expect(allowed.headers.get('access-control-allow-headers')).toBe('x-a');
    expect((await preflight('http://elsewhere')).headers.get('access-control-allow-origin')).toBeNull();
    await eventually(() => (err().includes('[information] greeting ana') ? true : undefined));
    expect(err()).not.toContain('in detail');
    expect(await (await fetch(`${url}/api/started`)).json()).toBe(true);

    const first = (await (await fetch(`${url}/api/ticks`)).json()) as number;
    await eventually(async () =>
      ((await (await fetch(`${url}/api/ticks`)).json()) as number) > first ? true : undefined,
    );

    const sum = (key: string) =>
      fetch(`${url}/api/sum`, { method: 'POST', headers: { 'x-functions-key': key }, body: '[1,2,3]' });
    expect((await sum('wrong')).status).toBe(401);
    const { statusQueryGetUri } = (await (await sum(hostKey)).json()) as { statusQueryGetUri: string };
    const output = await eventually(async () => {
      const status = (await (await fetch(statusQueryGetUri)).json()) as Record<string, unknown>;
      return status.runtimeStatus === 'Completed' ? status.output : undefined;
    });
    expect(output).toBe(14);

    child.kill('SIGINT');
    expect(await ended).toBe(0);
    const kept = path.join(app, '.local-functions');
    expect(existsSync(path.join(kept, 'CommandLine.sqlite'))).toBe(true);
    expect(readFileSync(path.join(kept, '.gitignore'), 'utf8')).toBe('*\n');
    expect(statSync(path.join(kept, 'keys.json')).mode & 0o077).toBe(0);
  }, 90_000);

  it('keeps keys, lets the environment win, tells more with --verbose, and shares no state', async () => {
    const app = copyApp();
    const state = path.join(temporaryFolder(), 'state');
    const args = ['--app', app, '--data-dir', state, '--app-processes', '2', '--verbose', '--cors', '*'];
    const cwd = temporaryFolder();
    const first = await start(cwd, args, { GREETING: 'salut' });
    expect(first.out()).toContain('(2 processes)');
    const greeting = await fetch(`${first.url}/api/greet/ben`, { headers: { origin: 'http://anywhere' } });
    expect(await greeting.text()).toBe(`salut ben of ${app}`);
    expect(greeting.headers.get('access-control-allow-origin')).toBe('*');
    await eventually(() => (/greet succeeded in \d+ ms/.test(first.err()) ? true : undefined));
    await eventually(() => (first.err().includes('in detail: ben') ? true : undefined));
    expect(existsSync(path.join(app, '.local-functions'))).toBe(false);

    const other = await refusal(cwd, 'start', '--port', '0', '--app', app, '--data-dir', state);
    expect(other).toEqual({ code: 1, text: expect.stringContaining('already. End it first') as string });
    const taken = await refusal(app, 'start', '--port', new URL(first.url).port);
    expect(taken).toEqual({ code: 1, text: expect.stringContaining('is in use. Choose another') as string });

    first.child.kill('SIGTERM');
    expect(await first.ended).toBe(0);
    const second = await start(cwd, args);
    expect(second.hostKey).toBe(first.hostKey);
    const status = await fetch(`${second.url}/admin/host/status`, {
      headers: { 'x-functions-key': /Master key +(\S+)/.exec(second.out())?.[1] ?? '' },
    });
    const { appProcesses } = (await status.json()) as { appProcesses: number[] };
    second.child.kill('SIGKILL');
    await eventually(() => (appProcesses.some(running) ? undefined : true));
  }, 90_000);

  it('shows its help, and says where it is', async () => {
    const { ended, out } = run(temporaryFolder(), ['--help']);
    expect(await ended).toBe(0);
    expect(out()).toMatch(/^Usage: local-functions start \[options\]\n/);
    const mistaken = await refusal(temporaryFolder(), 'start', '--prot', '1');
    expect(mistaken.code).toBe(2);
    expect(mistaken.text).toMatch(/Unknown option '--prot'.*Run local-functions --help/s);
    for (const option of ['--port', '--app', '--data-dir', '--app-processes', '--cors', '--verbose'])
      expect(out()).toContain(option);
  });

  it.each([
    [[], /No command given; the command is "start"/],
    [['run'], /There is no command "run"/],
    [['start', '--port', 'http'], /--port must be a whole number from 0 to 65535, it is "http"/],
    [['start', '--app-processes', '0'], /--app-processes must be a whole number from 1 to 64/],
    [['start', '--prot', '1'], /Unknown option '--prot'/],
    [['start', 'here'], /"start" takes no argument "here"/],
  ])('refuses the arguments %j', (args, reason) => {
    expect(() => readOptions(args)).toThrow(reason);
    expect(() => readOptions(args)).toThrow(UsageError);
  });

  it.each<[string, (app: string) => void, RegExp]>([
    ['no app is', (app) => rmSync(path.join(app, 'host.json')), /There is no host\.json in .*--app/],
    ['no package is', (app) => rmSync(path.join(app, 'package.json')), /There is no package\.json in/],
    [
      'the package names no code',
      (app) => writeFileSync(path.join(app, 'package.json'), '{}'),
      /my app\/package\.json has no "main"/,
    ],
    [
      'nothing is built',
      (app) => rmSync(path.join(app, 'src'), { recursive: true }),
      /No file matches the entry point "src\/\{index\.js,functions\/\*\.js\}"/,
    ],
    ['the settings are encrypted', settings({ IsEncrypted: true }), /is encrypted.*func settings decrypt/],
    ['the settings are no JSON', settings('{'), /local\.settings\.json cannot be read/],
    ['a setting is no text', settings({ Values: { DEEP: {} } }), /the setting 'DEEP' must be text/],
    [
      'the app is for another language',
      settings({ Values: { FUNCTIONS_WORKER_RUNTIME: 'python' } }),
      /FUNCTIONS_WORKER_RUNTIME is "python"; local-functions runs apps for "node" only/,
    ],
    [
      'a setting is missing',
      settings({ Values: { HUB: 'Hub' } }),
      /the app setting 'SCHEDULE' does not exist/,
    ],
  ])('does not start where %s', async (_what, spoil, reason) => {
    const app = copyApp();
    spoil(app);
    const refused = await startApp({ app, port: 0, verbose: false }).then(() => '', describeError);
    expect(refused).toMatch(reason);
    expect(refused).not.toMatch(/^ {4}at /m);
  });
});

function settings(content: unknown): (app: string) => void {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  return (app) => writeFileSync(path.join(app, 'local.settings.json'), text);
}
