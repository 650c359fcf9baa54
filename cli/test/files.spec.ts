import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { localName } from '../commands/download.ts';
import { type LiveServer, startLiveServer } from './liveServer.ts';
import { aWorkplace, type Workplace } from './runLr.ts';

// Each `lr` is a process of its own, and machines are slow at times.
vi.setConfig({ testTimeout: 90_000 });

let server: LiveServer;
let place: Workplace;
afterEach(async () => {
  await place.remove();
  await server.close();
});

const content = randomBytes(5000);
const collected = async (): Promise<void> => {
  server = await startLiveServer({
    execute: (execution) => {
      execution.file('f-1', '../../.bash\u001brc', content);
      execution.end('Completed');
    },
  });
  place = await aWorkplace(server.address);
  await place.run(['run', 'web-01', 'getfile /root/.bashrc']);
};

it('lists and downloads a file under a harmless name', async () => {
  await collected();
  const list = await place.run(['files', server.sessionId()]);
  expect(list.stdout).toMatch(/f-1 .*5000/);
  const { exitCode, stdout } = await place.run(['download', server.sessionId(), 'f-1', '--json']);
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ fileId: 'f-1', path: 'bash␛rc', size: 5000 });
  expect(content.equals(await readFile(join(place.folder, 'bash␛rc')))).toBe(true);
  const again = await place.run(['download', server.sessionId(), 'f-1']);
  expect(again.exitCode).toBe(5);
  expect(again.stderr).toContain('already there');
  expect((await place.run(['download', server.sessionId(), 'f-1', '--overwrite'])).exitCode).toBe(0);
});

it('says that there is no such file', async () => {
  await collected();
  const before = await readdir(place.folder);
  const { exitCode, stderr } = await place.run(['download', server.sessionId(), 'f-9']);
  expect(stderr).toContain('no such file');
  expect(exitCode).toBe(5);
  expect(await readdir(place.folder)).toEqual(before);
});

it.each([
  ['C:\\Users\\a\\evil.ps1', 'evil.ps1'],
  ['/etc/passwd', 'passwd'],
  ['..', 'file-f-1'],
  ['-rf', 'rf'],
  ['nul.txt', 'file-f-1'],
  ['a\nb', 'a␊b'],
])('names %j locally %j', (name, local) => {
  expect(localName(name, 'f-1')).toBe(local);
});

it('shows settings and makes enrolment tokens, as text and as JSON', async () => {
  await collected();
  expect((await place.run(['settings'])).stdout).toMatch(/unsignedScripts +off/);
  expect(JSON.parse((await place.run(['settings', '--json'])).stdout)).toMatchObject({
    limits: { idle: 1800 },
  });
  expect((await place.run(['enrolment-token', '--uses', '3'])).stdout).toBe('lre_tenant_secret\n');
  expect((await place.run(['enrolment-token', '--uses', '0'])).exitCode).toBe(64);
  expect(JSON.parse((await place.run(['enrolment-token', '--json'])).stdout)).toMatchObject({ uses: 1 });
  expect(JSON.parse((await place.run(['devices', '--json'])).stdout)).toMatchObject({ name: 'web-01' });
});
