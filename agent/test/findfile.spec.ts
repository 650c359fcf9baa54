import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { columnsOf } from '../../domain/catalogue/index.ts';
import type { Row } from '../commands/command.ts';
import { findfile } from '../commands/findfile.ts';
import { namePattern } from '../commands/namePattern.ts';
import { readMounts } from '../platform/linux/mounts.ts';
import { contextWith } from './support/runCommand.ts';
import { temporaryFolders } from './support/temporary.ts';

const folder = temporaryFolders();

const find = async (
  name: string,
  path?: string,
  { directory = '/', flags = [] as readonly string[] } = {},
): Promise<Row[]> => {
  const rows: Row[] = [];
  const parameters = path === undefined ? { name } : { name, path };
  for await (const row of findfile.run(contextWith({ directory, parameters, flags: new Set(flags) }))) {
    expect(Object.keys(row)).toEqual(columnsOf('findfile').map((column) => column.name));
    rows.push(row);
  }
  return rows;
};

const pathsOf = (rows: readonly Row[]): unknown[] => rows.map(({ path }) => path).sort();

describe('findfile', () => {
  it('finds what find finds, by name and by wildcard', async () => {
    const top = await folder();
    await mkdir(join(top, 'a/deep/er'), { recursive: true });
    for (const file of ['a/one.txt', 'a/deep/one.txt', 'a/deep/er/Two.TXT', 'a/deep/oneXtxt', 'star*']) {
      await writeFile(join(top, file), 'x');
    }
    const expected = (...test: string[]): string[] =>
      execFileSync('find', [top, '-mindepth', '1', ...test])
        .toString()
        .trim()
        .split('\n')
        .sort();
    expect(pathsOf(await find('one.txt', top))).toEqual(expected('-name', 'one.txt'));
    expect(pathsOf(await find('one.txt', 'a', { directory: top }))).toEqual(expected('-name', 'one.txt'));
    expect(pathsOf(await find('*.txt', top))).toEqual(expected('-name', '*.txt'));
    expect(pathsOf(await find('*.txt', top, { flags: ['ignore_case'] }))).toEqual(
      expected('-iname', '*.txt'),
    );
    expect(pathsOf(await find('one?txt', top))).toEqual(expected('-name', 'one?txt'));
    expect(pathsOf(await find('*', top))).toEqual(expected());
    expect(await find('deep', top)).toMatchObject([{ kind: 'directory', name: 'deep', note: null }]);
    expect(await find('missing', top)).toEqual([]);
  });

  it('goes through no link, so a loop of links ends', async () => {
    const top = await folder();
    await mkdir(join(top, 'real'));
    await writeFile(join(top, 'real/wanted'), '');
    await symlink(top, join(top, 'real/loop'));
    await symlink(join(top, 'real'), join(top, 'wanted'));
    expect(pathsOf(await find('wanted', top))).toEqual([join(top, 'real/wanted'), join(top, 'wanted')]);
    expect(pathsOf(await find('wanted', join(top, 'wanted')))).toEqual([join(top, 'real/wanted')]);
  });

  it('keeps the bytes of names that are not UTF-8', async () => {
    const top = await folder();
    const odd = Buffer.from([0x66, 0xff, 0x6f]);
    mkdirSync(Buffer.concat([Buffer.from(`${top}/`), odd]));
    writeFileSync(Buffer.concat([Buffer.from(`${top}/`), odd, Buffer.from('/inner')]), '');
    const [outer] = await find('f?o', top);
    expect(outer?.['name']).toEqual({ text: 'f\ufffdo', bytes: odd.toString('base64') });
    const [inner] = await find('inner', top);
    expect(inner).toMatchObject({
      name: 'inner',
      path: { bytes: Buffer.concat([Buffer.from(`${top}/`), odd, Buffer.from('/inner')]).toString('base64') },
    });
    execFileSync('rm', ['-rf', top]);
  });

  it('says what it does not search', async () => {
    const rows = await find('no file has this name', '/dev');
    expect(rows).toContainEqual({
      path: '/dev/pts',
      name: null,
      kind: 'directory',
      size: null,
      modifiedAt: null,
      note: 'Not searched: virtual file system (devpts).',
    });
    expect(rows.every(({ note }) => note !== null)).toBe(true);
    const own = await find('cmdline', `/proc/${process.pid}`);
    expect(pathsOf(own)).toContain(`/proc/${process.pid}/cmdline`);
  });

  it('refuses what cannot be searched', async () => {
    const top = await folder();
    await writeFile(join(top, 'file'), '');
    await expect(find('x', join(top, 'missing'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(find('x', join(top, 'file'))).rejects.toMatchObject({ code: 'NOT_A_DIRECTORY' });
    await expect(find('/etc/passwd')).rejects.toMatchObject({ code: 'NAME_INVALID' });
  });
});

it('takes a pattern of stars in its stride', () => {
  const fits = namePattern(`${'*a'.repeat(60)}b`, false);
  const started = performance.now();
  expect(fits('a'.repeat(255))).toBe(false);
  expect(performance.now() - started).toBeLessThan(500);
  expect(namePattern('**', false)('')).toBe(true);
  expect(namePattern('?', false)('😀')).toBe(true);
  expect(namePattern('a*c*e', false)('abcde')).toBe(true);
  expect(namePattern('a*c*e', false)('abcdef')).toBe(false);
});

it('knows file systems that hold no files of this machine, and what is hidden on top of them', () => {
  const mounts = readMounts(
    [
      '26 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
      '21 26 0:20 / /proc rw shared:5 master:2 - proc proc rw',
      '22 21 0:40 / /proc/77 rw - tmpfs tmpfs rw',
      '23 22 0:41 / /proc/77/sub rw - ext4 /dev/vdb rw',
      '24 26 0:42 / /mnt/my\\040share rw - nfs4 server:/x rw',
      '25 26 0:43 / /mnt/over rw - proc proc rw',
      '27 26 0:44 / /mnt/over rw - ext4 /dev/vdc rw',
      '',
    ].join('\n'),
  );
  expect(mounts.unsearched('/proc')).toBe('Not searched: virtual file system (proc).');
  expect(mounts.unsearched('/mnt/my share')).toBe('Not searched: network file system (nfs4).');
  expect(mounts.unsearched('/mnt/over')).toBeUndefined();
  expect(mounts.unsearched('/home')).toBeUndefined();
  expect(mounts.searchedBelow('/proc')).toEqual(['/proc/77']);
});
