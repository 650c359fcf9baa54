import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { HostConfig } from '../config.ts';
import { HUB, historyIn } from './durableClient.ts';
import { Notes } from './notes.ts';
import { atEnd, eventually, fixture, keys, temporaryFolder } from './startHost.ts';

interface Ready {
  ready: boolean;
  url: string;
  pid: number;
  appProcesses: number[];
}

async function run(config: Partial<HostConfig>): Promise<{ child: ChildProcess; ready: Ready }> {
  const file = path.join(temporaryFolder(), 'config.json');
  writeFileSync(
    file,
    JSON.stringify({ appRoot: fixture('durable'), appProcesses: 2, http: { port: 0 }, ...keys, ...config }),
  );
  const main = fileURLToPath(new URL('../main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, file], { stdio: ['pipe', 'pipe', 'ignore'] });
  atEnd(() => void child.kill('SIGKILL'));
  if (child.stdout === null) throw new Error('The host has no stdout.');
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, ready: JSON.parse(line) as Ready };
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
const allGone = (pids: number[]) => eventually(() => (pids.some(isAlive) ? undefined : true));

describe('the host as a process', () => {
  it('prints one ready line, serves, and ends cleanly on SIGTERM', async () => {
    const { child, ready } = await run({ dataDir: temporaryFolder(), settings: { HUB } });
    expect(ready).toMatchObject({ ready: true, pid: child.pid });
    expect(ready.appProcesses).toHaveLength(2);
    const response = await fetch(`${ready.url}/admin/host/status`, {
      headers: { 'x-functions-key': keys.masterKey },
    });
    expect(await response.json()).toMatchObject({ state: 'Running', appProcesses: ready.appProcesses });
    child.kill('SIGTERM');
    expect((await once(child, 'exit'))[0]).toBe(0);
    await allGone(ready.appProcesses);
  });

  it('ends when its stdin closes, because its parent died', async () => {
    const { child, ready } = await run({ dataDir: temporaryFolder(), settings: { HUB } });
    child.stdin?.end();
    expect((await once(child, 'exit'))[0]).toBe(0);
    await allGone(ready.appProcesses);
  });

  it('leaves no app process behind when it is killed', async () => {
    const { child, ready } = await run({ dataDir: temporaryFolder(), settings: { HUB } });
    child.kill('SIGKILL');
    await allGone(ready.appProcesses);
  });

  it('E-19 loses no durable work to kill -9, and repeats only activities in flight', async () => {
    const dataDir = temporaryFolder();
    const notes = new Notes<never>();
    const config = { dataDir, settings: { HUB, NOTES: notes.file } };
    const post = (url: string, target: string, body: unknown) =>
      fetch(`${url}${target}`, { method: 'POST', body: JSON.stringify(body) });
    const read = async (url: string, id: string) => {
      const response = await fetch(
        `${url}/runtime/webhooks/durabletask/instances/${id}?code=${keys.systemKey}`,
      );
      return (await response.json()) as { runtimeStatus: string; output: unknown };
    };
    const waits = Array.from({ length: 10 }, (_, index) => `wait-${index}`);
    let { child, ready } = await run(config);
    await Promise.all(waits.map((id) => post(ready.url, `/api/start/approval/${id}`, { waitMs: 600_000 })));
    await post(ready.url, '/api/start/loop/loop', { index: 0, last: 400 });
    await post(ready.url, '/api/start/chain/chain', 100);
    await post(ready.url, '/api/start/slowPair/slow', 1500);
    await eventually(() => (notes.lines().includes('slow started') ? true : undefined));
    for (let kill = 0; kill < 3; kill += 1) {
      child.kill('SIGKILL');
      await once(child, 'exit');
      ({ child, ready } = await run(config));
    }
    await Promise.all(
      waits.map(async (id) => {
        await eventually(() =>
          historyIn(dataDir, id).some(({ EventType }) => EventType === 10) ? true : undefined,
        );
        await post(ready.url, `/api/client/raise/${id}?name=approval&data=1`, null);
      }),
    );
    for (const [id, output] of [
      ...waits.map((wait) => [wait, 1]),
      ['loop', 400],
      ['chain', 100],
      ['slow', [1500, 10]],
    ] as const) {
      const ended = await eventually(async () => {
        const status = await read(ready.url, id as string);
        return status.runtimeStatus === 'Completed' || status.runtimeStatus === 'Failed' ? status : undefined;
      }, 20_000);
      expect([id, ended.output]).toEqual([id, output]);
    }
    for (const id of waits)
      expect(notes.lines().filter((line) => line === `begun ${id}`).length).toBeGreaterThanOrEqual(1);
    expect(notes.lines().filter((line) => line === 'slow ended').length).toBeGreaterThanOrEqual(2);
  }, 60_000);
});
