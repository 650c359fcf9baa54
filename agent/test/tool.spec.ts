import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { macosProcessTable, parseMarked, parseProcessTable } from '../platform/macos/processTable.ts';
import { lsofTool, parseLsof } from '../platform/macos/connections.ts';
import { readStat } from '../platform/linux/procfs.ts';
import { toolRecords, toolText, toolTextNow } from '../platform/tool.ts';
import { powershellTool } from '../platform/windows/powershell.ts';
import { collected } from './support/platformSample.ts';

const sh = (script: string, ...args: string[]) => ({ file: '/bin/sh', args: ['-c', script, 'sh', ...args] });
const records = async (...of: Parameters<typeof toolRecords>): Promise<string[]> =>
  (await collected(toolRecords(...of))).map((record) => record.toString());

it('gives a tool its arguments as they are, and records as they come', async () => {
  const odd = '$(id) "; rm -rf / #\n*';
  expect(await records(sh('printf "%s\\0" "$@"', odd, ''), 0)).toEqual([odd, '']);
  expect(await records(sh('printf "a\\n\\nb"'))).toEqual(['a', '', 'b']);
  expect(await toolText({ ...sh('echo $LC_ALL $X'), environment: { X: 'y' } })).toBe('C y');
  expect(toolTextNow(sh('echo $LANG; echo said >&2'))).toBe('C\n');
});

it('never takes a failing tool for one that found nothing', async () => {
  const failing = sh('echo first; echo no such thing >&2; exit 3');
  await expect(records(failing)).rejects.toMatchObject({
    code: 'TOOL_FAILED',
    message: expect.stringMatching(/exit code 3.*no such thing/) as string,
  });
  expect(() => toolTextNow(failing)).toThrow(/no such thing/);
  expect(await records({ ...failing, successCodes: [3] })).toEqual(['first']);
  await expect(records({ file: '/nowhere/tool', args: [] })).rejects.toMatchObject({ code: 'TOOL_MISSING' });
  expect(() => toolTextNow({ file: '/nowhere/tool', args: [] })).toThrow(/is not on this system/);
  await expect(records(sh('kill -9 $$'))).rejects.toMatchObject({ code: 'TOOL_FAILED' });
});

it('ends a tool that takes too long, and one whose output nobody wants any more', async () => {
  const slow = { ...sh('echo $$; exec sleep 300'), timeLimitMs: 200 };
  await expect(records(slow)).rejects.toMatchObject({ code: 'TOOL_TIMED_OUT' });
  expect(() => toolTextNow(slow)).toThrow(expect.objectContaining({ code: 'TOOL_TIMED_OUT' }));
  let pid = 0;
  for await (const record of toolRecords(sh('echo $$; exec sleep 300'))) {
    pid = Number(record.toString());
    break;
  }
  await expect.poll(() => readStat(pid)?.state ?? 'Z').toBe('Z');
});

it('passes values to PowerShell beside its script', () => {
  const value = "'; Remove-Item C:\\ -Recurse; '";
  const { args, environment } = powershellTool('Row @{ name = $values.name }', { name: value });
  const script = Buffer.from(args.at(-1) ?? '', 'base64').toString('utf16le');
  expect(script).toContain('Row @{ name = $values.name }');
  expect(script).not.toContain('Remove-Item');
  expect(JSON.parse(environment?.['LIVE_RESPONSE_VALUES'] ?? '')).toEqual({ name: value });
});

it.skipIf(!existsSync('/usr/bin/lsof'))('reads the real lsof', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const port = (server.address() as { port: number }).port;
    const found = await collected(parseLsof(toolRecords({ ...lsofTool, file: '/usr/bin/lsof' })));
    expect(found.find(({ localPort, state }) => localPort === port && state === 'listen')).toMatchObject({
      protocol: 'tcp',
      localAddress: '127.0.0.1',
      holders: [{ pid: process.pid }],
    });
  } finally {
    server.close();
  }
});

it('reads the real ps', () => {
  const table = toolTextNow({ file: '/bin/ps', args: ['-axww', '-o', 'pid=,ppid=,pgid=,stat=,lstart='] });
  const own = parseProcessTable(table, new Set()).find(({ pid }) => pid === process.pid);
  expect(own).toMatchObject({ parentPid: process.ppid, groupId: readStat(process.pid)?.groupId });
  expect(macosProcessTable.startTimeOf(process.pid)).toBe(own?.startTime);
  expect(macosProcessTable.startTimeOf(2 ** 22 + 1)).toBeUndefined();
  const environment = toolTextNow({
    file: '/bin/sh',
    args: ['-c', 'ps axeww -o pid=,command='],
    environment: { MARKED: 'here' },
  });
  expect(parseMarked(environment, 'MARKED=here').size).toBeGreaterThan(0);
  expect(parseMarked(environment, 'MARKED=her').size).toBe(0);
});
