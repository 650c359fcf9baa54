import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, link, mkdir, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Row } from '../commands/command.ts';
import { capabilities, commandNamed } from '../commands/index.ts';
import { contextWith, runCommand as run } from './support/runCommand.ts';
import { temporaryFolders } from './support/temporary.ts';

const folder = temporaryFolders();
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const byName = (rows: readonly Row[], name: string): Row | undefined =>
  rows.find((row) => row['name'] === name);
const system = (file: string, ...args: string[]): string => execFileSync(file, args).toString().trimEnd();

it('announces its commands', () => {
  expect(capabilities).toEqual([
    'cd',
    'connections',
    'dir',
    'fileinfo',
    'findfile',
    'getfile',
    'processes',
    'putfile',
    'run',
    'scheduledtasks',
    'services',
    'startupfolders',
    'trace',
  ]);
});

describe('cd', () => {
  it('goes to absolute and relative directories and up by name', async () => {
    const path = await folder();
    await mkdir(join(path, 'real/below'), { recursive: true });
    await symlink(join(path, 'real/below'), join(path, 'link'));
    const go = async (directory: string, to: string) =>
      (await run('cd', { directory, parameters: { path: to } })).outcome.directory;
    expect(await go('/', path)).toBe(path);
    expect(await go(path, 'real')).toBe(join(path, 'real'));
    expect(await go(join(path, 'link'), '..')).toBe(path);
    expect(await go('/', '..')).toBe('/');
  });

  it('refuses what is no directory', async () => {
    const path = await folder();
    await writeFile(join(path, 'file'), '');
    const go = (to: string) => run('cd', { directory: path, parameters: { path: to } });
    await expect(go('file')).rejects.toMatchObject({ code: 'NOT_A_DIRECTORY' });
    await expect(go('missing')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(go('file/below')).rejects.toMatchObject({ code: 'NOT_A_DIRECTORY' });
  });
});

describe('dir', () => {
  it('shows every kind of entry as stat does', async () => {
    const path = await folder();
    await writeFile(join(path, 'plain.txt'), 'hello');
    await chmod(join(path, 'plain.txt'), 0o4751);
    await mkdir(join(path, 'sub'));
    await chmod(join(path, 'sub'), 0o1777);
    await symlink('nowhere at all', join(path, 'broken'));
    system('mkfifo', join(path, 'pipe'));
    const server = createServer();
    closers.push(() => new Promise((resolve) => server.close(resolve)));
    await new Promise<void>((resolve) => server.listen(join(path, 'socket'), resolve));
    const { rows } = await run('dir', { directory: path });
    expect(rows.map(({ name, kind }) => `${String(name)} ${String(kind)}`).sort()).toEqual([
      'broken link',
      'pipe fifo',
      'plain.txt file',
      'socket socket',
      'sub directory',
    ]);
    for (const row of rows) {
      const shown = system('stat', '-c', '%s|%A|%U|%G|%n', join(path, String(row['name']))).split('|');
      expect([String(row['size']), row['mode'], row['owner'], row['group'], row['path']]).toEqual(shown);
      const [modified, accessed, changed] = system(
        'stat',
        '-c',
        '%.3Y %.3X %.3Z',
        join(path, String(row['name'])),
      ).split(' ');
      const seconds = (column: string) => (Date.parse(String(row[column])) / 1000).toFixed(3);
      expect([seconds('modifiedAt'), seconds('changedAt')]).toEqual([modified, changed]);
      // Reading where a link points is an access of the link.
      if (row['kind'] !== 'link') expect(seconds('accessedAt')).toBe(accessed);
    }
    expect(byName(rows, 'broken')?.['linkTarget']).toBe('nowhere at all');
    expect(byName(rows, 'plain.txt')?.['mode']).toBe('-rwsr-x--x');
    expect(byName(rows, 'sub')?.['mode']).toBe('drwxrwxrwt');
    expect((await run('dir', { parameters: { path: '/dev/null' } })).rows[0]).toMatchObject({
      kind: 'device',
    });
  });

  it('keeps the bytes of names that are not UTF-8', async () => {
    const path = await folder();
    const name = Buffer.from([0x61, 0xff, 0x62]);
    const full = Buffer.concat([Buffer.from(`${path}/`), name]);
    await writeFile(full, '');
    await writeFile(join(path, 'ünï ☂\n'), '');
    const { rows } = await run('dir', { directory: path });
    expect(byName(rows, 'ünï ☂\n')).toBeDefined();
    const odd = rows.find((row) => typeof row['name'] === 'object');
    expect(odd).toMatchObject({
      name: { text: 'a\ufffdb', bytes: name.toString('base64') },
      path: { bytes: full.toString('base64') },
      kind: 'file',
    });
    closers.push(() => rm(full));
  });

  it('lists a file as itself, a directory behind a link, and refuses what is not there', async () => {
    const path = await folder();
    await mkdir(join(path, 'sub'));
    await writeFile(join(path, 'sub/file'), 'x');
    await symlink('sub', join(path, 'link'));
    const list = (parameter: string) => run('dir', { directory: path, parameters: { path: parameter } });
    expect((await list('sub/file')).rows).toMatchObject([{ name: 'file', path: join(path, 'sub/file') }]);
    expect((await list('link')).rows).toMatchObject([{ name: 'file' }]);
    await expect(list('missing')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  });

  it('reports an entry that vanishes meanwhile, and goes on', async () => {
    const path = await folder();
    for (const name of ['a', 'b', 'c']) await writeFile(join(path, name), '');
    const rows = commandNamed('dir')?.run(contextWith({ directory: path }));
    expect((await rows?.next())?.value).toMatchObject({ kind: 'file', error: null });
    for (const name of ['a', 'b', 'c']) await rm(join(path, name));
    for (const _ of [1, 2]) {
      expect((await rows?.next())?.value).toMatchObject({ kind: null, size: null, error: 'ENOENT' });
    }
    expect((await rows?.next())?.done).toBe(true);
  });

  it('streams a directory of 20,000 entries', async () => {
    const path = await folder();
    system('sh', '-c', `cd ${path} && seq 20000 | xargs touch`);
    const command = commandNamed('dir');
    const before = process.memoryUsage().heapUsed;
    let count = 0;
    for await (const _ of command?.run(contextWith({ directory: path })) ?? []) {
      count += 1;
    }
    expect(count).toBe(20_000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100 * 1024 * 1024);
  });
});

describe('processes', () => {
  it('agrees with ps about a planted process', async () => {
    const path = join(await folder(), 'odd) name');
    await copyFile('/bin/sleep', path);
    const child = spawn(path, ['300', '--'].slice(0, 1), { argv0: 'invented argument', stdio: 'ignore' });
    closers.push(() => child.kill('SIGKILL'));
    await once(child, 'spawn');
    const { rows } = await run('processes', { parameters: { pid: child.pid ?? 0 } });
    const [row] = rows;
    const [user, state, threads, started] = system(
      'ps',
      '-o',
      'user:32=,state=,nlwp=,lstart=',
      '-p',
      String(child.pid),
    )
      .trim()
      .split(/\s+/, 3)
      .concat(system('ps', '-o', 'lstart=', '-p', String(child.pid)));
    expect(row).toMatchObject({
      pid: child.pid,
      parentPid: process.pid,
      name: 'odd) name',
      path,
      pathDeleted: false,
      commandLine: ['invented argument', '300'],
      user,
      threads: Number(threads),
    });
    expect(String(row?.['state']).charAt(0).toUpperCase()).toBe(state);
    expect(Math.abs(Date.parse(String(row?.['startedAt'])) - Date.parse(`${started} UTC`))).toBeLessThan(
      2_500,
    );
    expect(Number(row?.['memoryBytes'])).toBeGreaterThan(10_000);
    await rm(path);
    expect((await run('processes', { parameters: { pid: child.pid ?? 0 } })).rows[0]).toMatchObject({
      path,
      pathDeleted: true,
    });
    expect((await run('processes', { parameters: { name: 'odd) name' } })).rows).toHaveLength(1);
  });

  it('keeps arguments apart, with their bytes', async () => {
    const own = spawn('/bin/sh', ['-c', 'read line', 'zero', 'two words', '', '"'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    closers.push(() => own.kill('SIGKILL'));
    await once(own, 'spawn');
    const { rows } = await run('processes', { parameters: { pid: own.pid ?? 0 } });
    expect(rows[0]?.['commandLine']).toEqual(['/bin/sh', '-c', 'read line', 'zero', 'two words', '', '"']);
  });

  it('lists every process that ps lists, and no other', async () => {
    const before = new Set(system('ps', '-e', '-o', 'pid=').split('\n').map(Number));
    const { rows } = await run('processes');
    const after = new Set(system('ps', '-e', '-o', 'pid=').split('\n').map(Number));
    const listed = new Set(rows.map((row) => Number(row['pid'])));
    expect([...before].filter((pid) => after.has(pid) && !listed.has(pid))).toEqual([]);
    expect(rows.every((row) => Array.isArray(row['commandLine']))).toBe(true);
  });

  it('says that a process is not there', async () => {
    await expect(run('processes', { parameters: { pid: 4_194_305 } })).rejects.toMatchObject({
      code: 'PROCESS_NOT_FOUND',
    });
    expect((await run('processes', { parameters: { name: 'no such name' } })).rows).toEqual([]);
  });
});

describe('fileinfo', () => {
  it('agrees with the hashes and facts of the system', async () => {
    const path = join(await folder(), 'a file');
    await writeFile(path, Buffer.alloc(700_001, 'abc'));
    await utimes(path, 1_000_000_000.5, 1_100_000_000.25);
    await link(path, `${path}2`);
    const { rows } = await run('fileinfo', { parameters: { path } });
    const hash = (tool: string) => system(tool, path).split(' ')[0];
    expect(rows).toMatchObject([
      {
        path,
        kind: 'file',
        size: 700_001,
        links: 2,
        mode: system('stat', '-c', '%A', path),
        modifiedAt: '2004-11-09T11:33:20.250Z',
        md5: hash('md5sum'),
        sha1: hash('sha1sum'),
        sha256: hash('sha256sum'),
      },
    ]);
  });

  it('names the file that a link leads to', async () => {
    const path = await folder();
    await writeFile(join(path, 'target'), 'x');
    await symlink('target', join(path, 'link'));
    const { rows } = await run('fileinfo', { directory: path, parameters: { path: 'link' } });
    expect(rows[0]?.['path']).toBe(join(path, 'target'));
  });

  it.each(['fileinfo', 'getfile'])(
    '%s refuses what is no readable file, at once and with a reason',
    async (name) => {
      const path = await folder();
      system('mkfifo', join(path, 'pipe'));
      await writeFile(join(path, 'big'), '');
      await truncate(join(path, 'big'), 1_000_001);
      const collected = { url: 'https://store.invalid/a/b', ticket: '' };
      const look = (file: string) => run(name, { directory: path, parameters: { path: file }, collected });
      await expect(look('pipe')).rejects.toMatchObject({ code: 'NOT_A_FILE' });
      await expect(look('.')).rejects.toMatchObject({ code: 'NOT_A_FILE' });
      await expect(look('/dev/zero')).rejects.toMatchObject({ code: 'NOT_A_FILE' });
      await expect(look('missing')).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
      await expect(look('big')).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' });
      await expect(look('')).rejects.toMatchObject({ code: 'PARAMETER_MISSING' });
    },
  );
});

describe('getfile', () => {
  it('does not collect what a link leads to', async () => {
    const path = await folder();
    await writeFile(join(path, 'target'), 'x');
    await symlink('target', join(path, 'link'));
    await expect(
      run('getfile', {
        directory: path,
        parameters: { path: 'link' },
        collected: { url: 'https://store.invalid/a/b', ticket: '' },
      }),
    ).rejects.toMatchObject({ code: 'NOT_A_FILE', message: expect.stringContaining('target') });
  });
});
