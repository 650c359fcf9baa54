import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { OutputStore } from '../session/commandOutput.ts';
import type { FromExecutor, FromWorker, WorkerEnd } from '../session/messages.ts';
import { identify, markerVariable, type ProcessIdentity } from '../session/processTree.ts';
import { readStat } from '../platform/linux/procfs.ts';
import { RunningCommand } from '../session/runningCommand.ts';
import { temporaryFolders } from './support/temporary.ts';

const folder = temporaryFolders();
const finished: FromExecutor = {
  type: 'finished',
  startsProcesses: true,
  outputSize: 0,
  canRunAnother: false,
  error: null,
  directory: null,
  files: [],
  placed: [],
  exitCode: null,
};

/** A shell in the place of an executor. */
const start = (
  script: string,
  {
    timeLimit = 60,
    store,
    says = finished,
  }: { timeLimit?: number; store?: OutputStore; says?: FromExecutor | null } = {},
) => {
  const marker = randomBytes(16).toString('hex');
  const child = spawn('/bin/sh', ['-c', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: process.env['PATH'] ?? '', [markerVariable]: marker },
  });
  const executor = identify(child.pid ?? 0, marker) as ProcessIdentity;
  const heard: FromWorker[] = [];
  const command = new RunningCommand(
    {
      type: 'run',
      commandId: 'c',
      marker,
      sessionId: 's',
      directory: '/',
      body: {
        line: 'x',
        name: 'x',
        parameters: {},
        flags: [],
        output: 'table',
        background: false,
        timeLimit,
        limits: { collectedFile: 0, fileinfoFile: 0 },
        blobs: { output: 'https://store.invalid/output/c', collected: null },
      },
      tickets: { output: 'sig=x' },
    },
    child,
    executor,
    async () => {
      if (store === undefined) throw new Error('no store here');
      return store;
    },
    (message) => heard.push(message),
  );
  if (says !== null) command.heard(says);
  const end = async (): Promise<WorkerEnd> => {
    await command.done;
    const last = heard.at(-1);
    if (last?.type !== 'ended') throw new Error(`last heard: ${JSON.stringify(last)}`);
    return last.end;
  };
  return { child, command, heard, executor, end };
};

const isAlive = (pid: number): boolean => !['Z', undefined].includes(readStat(pid)?.state);

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await pause(5);
};

describe('a running command', () => {
  it('is one message when it ends quickly', async () => {
    const { heard, end } = start('echo one; echo two');
    expect(await end()).toMatchObject({
      state: 'Completed',
      startedAt: expect.stringMatching(/Z$/),
      output: [{ part: 1, inline: { text: 'one\ntwo\n' } }],
      processesGone: true,
      error: null,
    });
    expect(heard).toHaveLength(1);
  });

  it('says that it started, then what it writes, then how it ended', async () => {
    const { heard, end } = start('echo first; sleep 0.9; echo second; sleep 0.1');
    expect(await end()).toMatchObject({ state: 'Completed', startedAt: null });
    expect(heard.map(({ type }) => type)).toEqual(['started', 'output', 'ended']);
    expect(heard[1]).toMatchObject({ parts: [{ part: 1, inline: { text: 'first\n' } }] });
    expect(heard[2]).toMatchObject({
      end: { output: [{ part: 2, offset: 6, inline: { text: 'second\n' } }] },
    });
  });

  it('ends at its time limit with proof that nothing is left, whatever it started', async () => {
    const path = join(await folder(), 'pid');
    const { executor, end, heard } = start(
      `setsid sh -c '(sleep 300 & echo $! > ${path}.new; mv ${path}.new ${path}) & wait' & trap '' TERM; while :; do sleep 0.1; done`,
      { timeLimit: 0.7, says: null },
    );
    const ended = await end();
    expect(ended).toMatchObject({ state: 'TimedOut', processesGone: true, cancelReached: false });
    expect(ended.duration).toBeGreaterThanOrEqual(0.7);
    expect(existsSync(path)).toBe(true);
    expect([executor.pid, Number(await readFile(path, 'utf8'))].filter(isAlive)).toEqual([]);
    expect(heard.map(({ type }) => type)).toEqual(['started', 'ended']);
  });

  it('is cancelled, and keeps what it had written', async () => {
    const { command, heard, end } = start('echo before; sleep 300', { says: null });
    await until(() => heard.length > 1);
    command.cancel();
    command.cancel();
    expect(await end()).toMatchObject({ state: 'Cancelled', cancelReached: true, processesGone: true });
    expect(heard[1]).toMatchObject({ type: 'output', parts: [{ inline: { text: 'before\n' } }] });
  });

  it('is lost when its process is ended from outside', async () => {
    const { child, heard, end } = start('sleep 300', { says: null });
    await until(() => heard.length === 1);
    child.kill('SIGKILL');
    expect(await end()).toMatchObject({
      state: 'Lost',
      error: { code: 'EXECUTOR_DIED' },
      processesGone: true,
    });
  });

  it('fails with the reason that the executor gave', async () => {
    const error = { code: 'FILE_NOT_FOUND', message: 'x does not exist.' };
    const { end } = start('exit 0', { says: { ...finished, error } as FromExecutor });
    expect(await end()).toMatchObject({ state: 'Failed', error });
  });

  it('ends what it left behind when it ended by itself', async () => {
    const path = join(await folder(), 'pid');
    const { end } = start(`setsid sleep 300 >/dev/null 2>&1 & echo $! > ${path}`);
    expect(await end()).toMatchObject({ state: 'Completed', processesGone: true });
    expect(isAlive(Number(await readFile(path, 'utf8')))).toBe(false);
  });

  it('stores long output once and in order, and does not read faster than the store takes it', async () => {
    const blocks: Buffer[] = [];
    let largest = 0;
    const store: OutputStore = {
      path: 'output/c',
      etag: '',
      append: async (bytes) => {
        largest = Math.max(largest, bytes.length);
        await pause(60);
        blocks.push(Buffer.from(bytes));
      },
    };
    const size = 24 * 1024 * 1024;
    const { heard, end } = start(`yes 0123456789abcde | head -c ${size}`, { store });
    const before = process.memoryUsage.rss();
    let peak = 0;
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss());
    }, 20);
    const ended = await end();
    clearInterval(watch);
    expect(ended).toMatchObject({ state: 'Completed', error: null });
    const stored = Buffer.concat(blocks);
    expect(stored.equals(Buffer.alloc(size, '0123456789abcde\n'))).toBe(true);
    expect(largest).toBeLessThanOrEqual(4 * 1024 * 1024);
    const parts = [
      ...heard.flatMap((message) => (message.type === 'output' ? message.parts : [])),
      ...ended.output,
    ];
    let offset = 0;
    parts.forEach((part, index) => {
      expect(part).toMatchObject({ part: index + 1, offset, blob: 'output/c', inline: null });
      offset += part.size;
    });
    expect(offset).toBe(size);
    // What was stored is held by this test; beside it only a few pieces may be in memory.
    expect(peak - before - size).toBeLessThan(64 * 1024 * 1024);
  });

  it('fails, and is stopped, when its output cannot be stored', async () => {
    const { executor, end } = start('yes', { says: null });
    expect(await end()).toMatchObject({
      state: 'Failed',
      error: { code: 'OUTPUT_NOT_STORED', message: 'no store here' },
      processesGone: true,
    });
    expect(isAlive(executor.pid)).toBe(false);
  });
});

describe('an executor that runs another command', () => {
  const goesOn = (outputSize: number): FromExecutor =>
    ({ ...finished, startsProcesses: false, outputSize, canRunAnother: true }) as FromExecutor;

  it('is free when everything that it wrote was read, and lives on', async () => {
    const { child, command, end, executor } = start('printf 12345; exec sleep 60', { says: goesOn(5) });
    expect(await command.done).toBe(true);
    const { state, output, processesGone } = await end();
    expect({ state, processesGone }).toEqual({ state: 'Completed', processesGone: true });
    expect(output.map(({ size }) => size)).toEqual([5]);
    expect(readStat(executor.pid)).toBeDefined();
    child.kill('SIGKILL');
  });

  it('is not free while something that it wrote is missing: its death then ends the command', async () => {
    const { command, end } = start('printf 123; exec true', { says: goesOn(5) });
    expect(await command.done).toBe(false);
    expect((await end()).output.map(({ size }) => size)).toEqual([3]);
  });

  it('is ended when a process is left below it', async () => {
    const { command, end, executor } = start('sleep 60 & printf 1; wait', { says: goesOn(1) });
    expect(await command.done).toBe(false);
    expect((await end()).processesGone).toBe(true);
    expect(readStat(executor.pid)).toBeUndefined();
  });

  it('is not free after a cancel, whatever it says', async () => {
    const { command, end } = start('exec sleep 60', { says: null });
    command.cancel();
    command.heard(goesOn(0));
    expect(await command.done).toBe(false);
    expect((await end()).state).toBe('Cancelled');
  });
});
