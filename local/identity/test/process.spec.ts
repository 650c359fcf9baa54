import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createAuthority } from '../../certificates/authority.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'identity-process-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function start() {
  const config = {
    dataDir: dir,
    port: 0,
    msiPort: 0,
    identityHeader: 'x',
    tls: await createAuthority(join(dir, 'certificates')),
  };
  await writeFile(join(dir, 'config.json'), JSON.stringify(config));
  const child = spawn(process.execPath, [
    join(import.meta.dirname, '..', 'main.ts'),
    join(dir, 'config.json'),
  ]);
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, ready: JSON.parse(line) as Record<string, unknown> };
}

it('prints its endpoints and ends cleanly when its parent closes stdin', async () => {
  const { child, ready } = await start();
  expect(ready).toMatchObject({ ready: true, pid: child.pid });
  expect(ready.issuerBase).toMatch(/^https:\/\/localhost:\d+$/);
  child.stdin.end();
  expect(await once(child, 'exit')).toEqual([0, null]);
});

it('ends cleanly on SIGTERM', async () => {
  const { child } = await start();
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});
