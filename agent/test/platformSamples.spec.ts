import { readdir } from 'node:fs/promises';
import type { z } from 'zod';
import { describe, expect, it } from 'vitest';
import { parseAccounts } from '../platform/macos/accounts.ts';
import { parseLsof } from '../platform/macos/connections.ts';
import { parseKextstat, parseSystemExtensions } from '../platform/macos/drivers.ts';
import { macosVersion } from '../platform/macos/hostFacts.ts';
import { parseLoaded, parseOverrides } from '../platform/macos/launchctl.ts';
import { parseMarked, parseProcessTable } from '../platform/macos/processTable.ts';
import { connectionOf, connectionRow } from '../platform/windows/connections.ts';
import { programOf, registryPersistenceRow, windowsPersistence } from '../platform/windows/persistence.ts';
import { scriptRows } from '../platform/windows/powershell.ts';
import { seenProcesses, tableRow } from '../platform/windows/processTable.ts';
import { registryEntryOf, registryPlaceOf, registryRow } from '../platform/windows/registry.ts';
import {
  driverOf,
  driverRow,
  serviceOf,
  serviceRow,
  windowsDrivers,
  windowsServices,
} from '../platform/windows/services.ts';
import { startupEntryOf, startupRow, windowsStartup } from '../platform/windows/startup.ts';
import { taskOf, taskRow, windowsTasks } from '../platform/windows/tasks.ts';
import { collected, platformSample, samplesFolder } from './support/platformSample.ts';

type Sample = Awaited<ReturnType<typeof platformSample>>;

const scripted = <Shape extends z.ZodType>(shape: Shape, { lines }: Sample): Promise<z.infer<Shape>[]> =>
  collected(scriptRows(shape, lines, 'powershell.exe'));

/** How each sample is read. */
const readers: Readonly<Record<string, (sample: Sample) => unknown>> = {
  'macos/connections': ({ lines }) => collected(parseLsof(lines)),
  'macos/processTable': ({ text }) =>
    parseProcessTable(text, parseMarked('  1 /sbin/launchd A=1\n501 sh -c X=ab X=a', 'X=a')),
  'macos/accounts': ({ text }) => [...parseAccounts(text)].map((pair) => pair),
  'macos/kextstat': ({ text }) => parseKextstat(text),
  'macos/launchctlDisabled': ({ text }) => [...parseOverrides(text)].map((pair) => pair),
  'macos/launchctlList': ({ text }) => parseLoaded(text),
  'macos/systemExtensions': ({ text }) => parseSystemExtensions(text),
  'windows/drivers': async (sample) => (await scripted(driverRow, sample)).map(driverOf),
  'windows/persistence': (sample) => scripted(registryPersistenceRow, sample),
  'windows/registry': async (sample) =>
    (await scripted(registryRow, sample)).map((row) => registryEntryOf(row, 'HKEY_LOCAL_MACHINE\\K')),
  'windows/services': async (sample) => (await scripted(serviceRow, sample)).map(serviceOf),
  'windows/startup': async (sample) => Promise.all((await scripted(startupRow, sample)).map(startupEntryOf)),
  'windows/tasks': async (sample) => (await scripted(taskRow, sample)).map(taskOf),
  'windows/connections': async (sample) => (await scripted(connectionRow, sample)).map(connectionOf),
  'windows/processTable': async (sample) => seenProcesses(await scripted(tableRow, sample)),
};

describe('samples of other systems', () => {
  it('are all read', async () => {
    const files = await readdir(samplesFolder, { recursive: true });
    const names = files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -5));
    expect(names.sort()).toEqual(Object.keys(readers).sort());
  });

  it.each(Object.entries(readers))('%s', async (name, read) => {
    const sample = await platformSample(name);
    expect(await read(sample)).toEqual(sample.rows);
  });
});

describe('what is not understood', () => {
  const unknown = { code: 'TOOL_OUTPUT_UNKNOWN' };

  it('is a failure and no empty list', async () => {
    const lsof = (...lines: string[]) => collected(parseLsof(lines.map((line) => Buffer.from(line))));
    await expect(lsof('lsof: Warnung')).rejects.toMatchObject(unknown);
    await expect(lsof('p1\0', 'f3\0tunix\0n/tmp/x\0')).rejects.toMatchObject(unknown);
    await expect(lsof('p1\0', 'f3\0tIPv4\0PTCP\0n1.2.3.4:x\0')).rejects.toMatchObject(unknown);
    await expect(lsof('p1\0', 'f3\0tIPv4\0PTCP\0n1.2.3.4:5\0TST=HORCHT\0')).rejects.toMatchObject(unknown);
    for (const read of [
      () => parseLoaded('PID\tStatut\tLabel\n'),
      () => parseLoaded(''),
      () => parseOverrides('Dienste = {\n}'),
      () => parseOverrides('disabled services = {\n\t"x" => deaktiviert\n}'),
      () => parseKextstat(''),
      () => parseKextstat('Index Refs Address Size Wired Name (Version)\nwhat?'),
      () => parseSystemExtensions(''),
      () => parseSystemExtensions('2 extension(s)\n'),
      () => parseAccounts('anna keine'),
    ])
      expect(read).toThrow(expect.objectContaining(unknown));
    expect(() => parseProcessTable('PID PPID', new Set())).toThrow(expect.objectContaining(unknown));
  });

  it('is a failure in rows of scripts', async () => {
    const rows = (...lines: string[]) =>
      collected(
        scriptRows(
          tableRow,
          lines.map((line) => Buffer.from(line)),
          'powershell.exe',
        ),
      );
    const row = '{"row":{"pid":1,"parentPid":0,"startedAt":null}}';
    expect(await rows(row, '', '{"end":1}')).toHaveLength(1);
    await expect(rows('Get-CimInstance : Zugriff verweigert')).rejects.toMatchObject(unknown);
    await expect(rows(row.replace('"pid"', '"id"'), '{"end":1}')).rejects.toMatchObject(unknown);
    await expect(rows(row.replace('"pid"', '"more":1,"pid"'), '{"end":1}')).rejects.toMatchObject(unknown);
    await expect(rows('{"end":0}', row)).rejects.toMatchObject(unknown);
    await expect(rows(row)).rejects.toMatchObject({ code: 'TOOL_FAILED' });
    await expect(rows(row, '{"end":2}')).rejects.toMatchObject({ code: 'TOOL_FAILED' });
    await expect(rows('{"failure":{"code":"X","message":"said"}}')).rejects.toMatchObject({
      code: 'X',
      message: 'said',
    });
  });
});

it('names the version of macOS', () => {
  const file = `<plist version="1.0"><dict>
    <key>ProductBuildVersion</key>\n<string>23F79</string>
    <key>ProductName</key> <string>macOS</string>
    <key>ProductVersion</key><string>14.5</string></dict></plist>`;
  expect(macosVersion(file, '23.5.0')).toBe('macOS 14.5 (23F79), Darwin 23.5.0');
  expect(() => macosVersion('', '23.5.0')).toThrow(/names no version/);
});

describe('Windows', () => {
  it('takes two backslashes before the last part for a value', () => {
    expect(registryPlaceOf('HKEY_CURRENT_USER\\Console\\\\FaceName')).toEqual({
      hive: 'CurrentUser',
      key: 'Console',
      value: 'FaceName',
      path: 'HKEY_CURRENT_USER\\Console',
    });
    expect(registryPlaceOf('hklm:\\SOFTWARE\\A b\\')).toMatchObject({ key: 'SOFTWARE\\A b', value: null });
    expect(registryPlaceOf('HKEY_USERS')).toMatchObject({ hive: 'Users', key: '', value: null });
    expect(registryPlaceOf('HKLM\\K\\\\')).toMatchObject({ key: 'K', value: '' });
    expect(registryPlaceOf('HKLM\\K\\\\a\\b')).toMatchObject({ key: 'K', value: 'a\\b' });
    expect(() => registryPlaceOf('SOFTWARE\\X')).toThrow(
      expect.objectContaining({ code: 'REGISTRY_HIVE_UNKNOWN' }),
    );
  });

  it('finds the program of a command line', () => {
    expect(programOf('"C:\\Program Files\\a.exe" -x')).toBe('C:\\Program Files\\a.exe');
    expect(programOf('C:\\Program Files\\a b.exe -x C:\\c.exe')).toBe('C:\\Program Files\\a b.exe');
    expect(programOf('rundll32.exe x.dll,Start')).toBeNull();
    expect(programOf(null)).toBeNull();
  });

  // Nowhere but on Windows is there this PowerShell; the scripts must be short enough to be started at all.
  it.skipIf(process.platform === 'win32').each([
    ['services', windowsServices],
    ['drivers', windowsDrivers],
    ['tasks', () => windowsTasks(null)],
    ['startup', windowsStartup],
    ['persistence', windowsPersistence],
  ] as const)('fails to list %s without PowerShell', async (_, list) => {
    await expect(collected<unknown>(list())).rejects.toMatchObject({ code: 'TOOL_MISSING' });
  });
});
