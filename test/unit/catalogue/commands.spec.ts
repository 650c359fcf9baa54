import { describe, expect, it } from 'vitest';
import {
  catalogue,
  columnsOf,
  findCommand,
  parseCommand,
  platforms,
  tableColumnsOf,
  timeLimitOf,
} from '../../../domain/catalogue/index.ts';
import { defaultLimits } from '../../../domain/limits.ts';

const basic =
  'cd cls connect connections dir drivers fg fileinfo findfile getfile help jobs persistence processes registry scheduledtasks services startupfolders status trace';
const advanced = 'analyze collect isolate library putfile release remediate run scan undo';

const namesWhere = (wanted: (name: (typeof catalogue)[number]) => boolean): string =>
  catalogue
    .filter(wanted)
    .map(({ name }) => name)
    .join(' ');

const columnNames = (name: string): string =>
  columnsOf(name)
    .map((column) => column.name)
    .join(' ');

describe('commands', () => {
  it('has every basic and every advanced command and no other', () => {
    expect(namesWhere(({ level }) => level === 'basic')).toBe(basic);
    expect(namesWhere(({ level }) => level === 'advanced')).toBe(advanced);
  });

  it('gives thirty minutes to the four long commands and ten to the rest', () => {
    expect(namesWhere(({ timeLimitSeconds }) => timeLimitSeconds === 1800)).toBe(
      'findfile getfile run trace',
    );
    expect(namesWhere(({ timeLimitSeconds }) => timeLimitSeconds !== 600)).toBe('findfile getfile run trace');
  });

  it('takes the time limit of the tenant', () => {
    const limits = { ...defaultLimits, command: 5, longCommand: 7 };
    expect(catalogue.filter((one) => timeLimitOf(one, limits) === 7).map(({ name }) => name)).toEqual([
      'findfile',
      'getfile',
      'run',
      'trace',
    ]);
  });

  it('knows where Defender has a command', () => {
    const only = (wanted: string): string =>
      namesWhere(({ defenderPlatforms }) => defenderPlatforms.join() === wanted);
    expect(only('windows')).toBe(
      'analyze connections drivers persistence registry scheduledtasks services startupfolders undo',
    );
    expect(only('macos,linux')).toBe('collect scan');
    expect(only('macos')).toBe('isolate release');
  });

  it('keeps the registry on Windows and has everything else everywhere', () => {
    expect(namesWhere((one) => one.platforms.join() !== platforms.join())).toBe('registry');
    expect(findCommand(catalogue, 'registry')?.platforms).toEqual(['windows']);
  });

  it('never has fewer platforms than Defender', () => {
    for (const one of catalogue)
      expect(one.platforms).toEqual(expect.arrayContaining([...one.defenderPlatforms]));
  });

  it.each([
    ['ls', 'dir'],
    ['process', 'processes'],
    ['get', 'getfile'],
    ['download', 'getfile'],
    ['GetFile', 'getfile'],
  ])('finds %s as %s', (word, name) => {
    expect(findCommand(catalogue, word)?.name).toBe(name);
  });

  it.each(['constructor', '__proto__', 'toString', '', 'trac\u212a', 'd\u0131r'])(
    'does not find %j',
    (word) => {
      expect(findCommand(catalogue, word)).toBeUndefined();
    },
  );

  it('uses each name and alias once', () => {
    const names = catalogue.flatMap(({ name, aliases }) => [name, ...aliases]);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each([
    ['cd', 'directory'],
    ['dir', 'name kind size mode owner group modifiedAt accessedAt changedAt linkTarget path error'],
    [
      'processes',
      'pid parentPid name path pathDeleted commandLine user startedAt cpuSeconds memoryBytes threads state',
    ],
    [
      'fileinfo',
      'path kind size mode owner group links createdAt modifiedAt accessedAt changedAt md5 sha1 sha256',
    ],
    ['getfile', 'path size sha256 fileId'],
    ['download', 'path size sha256 fileId'],
    ['jobs', 'commandId name line state background issuedAt startedAt'],
    [
      'status',
      'commandId line state background issuedAt startedAt endedAt duration exitCode error files outputSize output',
    ],
    ['help', 'name aliases summary platforms level'],
    ['nosuchcommand', ''],
  ])('%s has the columns %s', (name, columns) => {
    expect(columnNames(name)).toBe(columns);
  });

  it('shows full paths in the table of dir only when asked', () => {
    const shown = (flags: string[]): boolean =>
      tableColumnsOf('dir', flags).some((column) => column.name === 'path');
    expect(shown([])).toBe(false);
    expect(shown(['relative_path'])).toBe(false);
    expect(shown(['full_path'])).toBe(true);
  });

  it('has only examples that parse', () => {
    for (const { name, examples } of catalogue) {
      expect(examples.length, name).toBeGreaterThan(0);
      for (const example of examples) {
        expect(parseCommand(example, catalogue), example).toMatchObject({ ok: true, command: { name } });
      }
    }
  });

  it('has definitions that make sense', () => {
    for (const { name, parameters, flags, columns } of catalogue) {
      const names = [...parameters, ...flags].map((one) => one.name);
      expect(new Set([...names, 'output']).size, name).toBe(names.length + 1);
      expect(new Set(columns.map((column) => column.name)).size, name).toBe(columns.length);
      for (const [index, { dependsOn, choices, type }] of parameters.entries()) {
        expect(type === 'choice', name).toBe(choices !== undefined);
        if (dependsOn === undefined) continue;
        const earlier = parameters.slice(0, index).find((one) => one.name === dependsOn.parameter);
        expect(earlier?.choices, name).toEqual(expect.arrayContaining([...dependsOn.appliesTo]));
      }
      for (const { conflictsWith } of flags) {
        if (conflictsWith !== undefined) expect(names, name).toContain(conflictsWith);
      }
    }
  });
});
