import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { bootId, readStat, startTimeOf } from '../platform/linux/procfs.ts';
import {
  endProcesses,
  identify,
  markerVariable,
  type ProcessIdentity,
  processesOf,
} from '../session/processTree.ts';
import { temporaryFolders } from './support/temporary.ts';

const folder = temporaryFolders();
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A shell in a group of its own that prints the ids of processes it started, one a line. */
const startShell = async (script: string, pids: number) => {
  const marker = randomBytes(16).toString('hex');
  const child = spawn('/bin/sh', ['-c', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: process.env['PATH'] ?? '', [markerVariable]: marker },
  });
  children.push(child);
  const executor = identify(child.pid ?? 0, marker) as ProcessIdentity;
  const started: number[] = [];
  for await (const line of createInterface(child.stdout)) {
    started.push(Number(line));
    if (started.length === pids) break;
  }
  return { child, executor, started };
};

const isAlive = (pid: number): boolean => {
  const stat = readStat(pid);
  return stat !== undefined && stat.state !== 'Z';
};

describe('process tree', () => {
  it('ends a shell with its children, and a daemon that left group, session and parent', async () => {
    const { executor, started } = await startShell(
      "sleep 300 & echo $!; setsid sh -c '(sleep 300 & echo $!) & wait' & sleep 300",
      2,
    );
    const [child = 0, daemon = 0] = started;
    expect(readStat(daemon)?.groupId).not.toBe(executor.pid);
    expect(processesOf(executor)).toEqual(expect.arrayContaining([executor.pid, child, daemon]));
    expect(await endProcesses(executor, 100)).toBe(true);
    expect([executor.pid, child, daemon].filter(isAlive)).toEqual([]);
  });

  it('ends what ignores SIGTERM, after the grace', async () => {
    const { executor } = await startShell("trap '' TERM; echo $$; while :; do sleep 0.05; done", 1);
    const started = performance.now();
    expect(await endProcesses(executor, 300)).toBe(true);
    expect(performance.now() - started).toBeGreaterThanOrEqual(300);
    expect(isAlive(executor.pid)).toBe(false);
  });

  it('gives time to whoever obeys SIGTERM', async () => {
    const { child, executor } = await startShell(
      "trap 'exit 7' TERM; echo $$; while :; do sleep 0.02; done",
      1,
    );
    const exit = once(child, 'exit');
    expect(await endProcesses(executor, 5_000)).toBe(true);
    expect(await exit).toEqual([7, null]);
  });

  it('ends a daemon when its executor is long gone', async () => {
    const { child, executor, started } = await startShell('setsid sleep 300 >/dev/null & echo $!', 1);
    if (child.exitCode === null) await once(child, 'exit');
    const [daemon = 0] = started;
    expect(isAlive(daemon)).toBe(true);
    expect(await endProcesses(executor, 0)).toBe(true);
    expect(isAlive(daemon)).toBe(false);
  });

  it('ends a stopped process', async () => {
    const { child, executor } = await startShell('echo $$; sleep 300', 1);
    child.kill('SIGSTOP');
    expect(await endProcesses(executor, 50)).toBe(true);
  });

  it('leaves a process alone whose id was used before, and everything from before a restart of the machine', async () => {
    const { executor } = await startShell('echo $$; sleep 300', 1);
    const reused = { ...executor, startTime: '1', marker: 'of-another' };
    const beforeBoot = { ...executor, bootId: 'another' };
    expect(processesOf(reused)).toEqual([]);
    expect(await endProcesses(reused, 0)).toBe(true);
    expect(await endProcesses(beforeBoot, 0)).toBe(true);
    expect(isAlive(executor.pid)).toBe(true);
  });

  it('does not take a longer or embedded marker for its own', async () => {
    const { executor, child } = await startShell('echo $$; sleep 300', 1);
    const prefix = { ...executor, startTime: '1', marker: (executor.marker ?? '').slice(0, -1) };
    expect(processesOf(prefix)).toEqual([]);
    expect(processesOf({ ...executor, startTime: '1' })).toContain(child.pid);
    expect(isAlive(child.pid ?? 0)).toBe(true);
  });

  it('finds nothing for a damaged record', () => {
    for (const pid of [0, 1, -1, Number.NaN]) {
      for (const marker of [null, '', 'none']) {
        expect(processesOf({ pid, startTime: '0', bootId: bootId(), marker })).toEqual([]);
      }
    }
  });

  it('reads names with brackets and blanks', async () => {
    const path = join(await folder(), 'a) R 1 (b');
    await copyFile('/bin/sleep', path);
    const child = spawn(path, ['300'], { stdio: 'ignore' });
    children.push(child);
    await once(child, 'spawn');
    const stat = readStat(child.pid ?? 0);
    expect(stat?.name.toString()).toBe('a) R 1 (b');
    expect(stat?.parentPid).toBe(process.pid);
    const raw = (await readFile(`/proc/${child.pid}/stat`, 'latin1')).split(') ').at(-1)?.split(' ') ?? [];
    expect(startTimeOf(stat as NonNullable<typeof stat>)).toBe(raw[19]);
  });
});
