import { readdir } from 'node:fs/promises';
import type { z } from 'zod';
import { describe, expect, it } from 'vitest';
import { parseLsof } from '../platform/macos/connections.ts';
import { macosVersion } from '../platform/macos/hostFacts.ts';
import { parseMarked, parseProcessTable } from '../platform/macos/processTable.ts';
import { connectionOf, connectionRow } from '../platform/windows/connections.ts';
import { scriptRows } from '../platform/windows/powershell.ts';
import { seenProcesses, tableRow } from '../platform/windows/processTable.ts';
import { collected, platformSample, samplesFolder } from './support/platformSample.ts';

type Sample = Awaited<ReturnType<typeof platformSample>>;

const scripted = <Shape extends z.ZodType>(shape: Shape, { lines }: Sample): Promise<z.infer<Shape>[]> =>
  collected(scriptRows(shape, lines, 'powershell.exe'));

/** How each sample is read. */
const readers: Readonly<Record<string, (sample: Sample) => unknown>> = {
  'macos/connections': ({ lines }) => collected(parseLsof(lines)),
  'macos/processTable': ({ text }) =>
    parseProcessTable(text, parseMarked('  1 /sbin/launchd A=1\n501 sh -c X=ab X=a', 'X=a')),
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
