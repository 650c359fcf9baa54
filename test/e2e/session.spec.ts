import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { historyFaults } from '../../cli/history/verifyHistory.ts';
import { workByAppProcess } from '../../local/cloud.ts';
import type { Envelope } from '../../sdk/index.ts';
import { eventually, inSession, openConnected, responder, rowsOf } from '../support/responders.ts';

it('runs commands on this machine and shows what is really there', async () => {
  const ana = responder('ana');
  await inSession(ana, async ({ sessionId }) => {
    const processes = await ana.runCommand(sessionId, 'processes');
    expect(processes).toMatchObject({ state: 'Completed', error: null });
    const pids = (await rowsOf(ana, sessionId, processes.commandId)).map(({ pid }) => pid);
    expect(pids).toContain(inject('cloud').device.pid);
    expect(pids).toContain(inject('cloud').hostPid);
    await ana.runCommand(sessionId, 'cd /etc');
    expect((await ana.session(sessionId)).directory).toBe('/etc');
    const list = await ana.runCommand(sessionId, 'dir');
    const names = (await rowsOf(ana, sessionId, list.commandId)).map(({ name }) => name);
    expect(names).toContain('hosts');
    const missing = await ana.runCommand(sessionId, 'dir does-not-exist');
    expect(missing).toMatchObject({ state: 'Failed', error: { code: 'FILE_NOT_FOUND' } });
  });
});

it('collects a file whose copy is the original', async () => {
  const ana = responder('ana');
  const { dataDir } = inject('cloud');
  const content = randomBytes(20 * 1024 * 1024 + 17);
  await writeFile(join(dataDir, 'original file.bin'), content);
  await inSession(ana, async ({ sessionId }) => {
    const command = await ana.runCommand(sessionId, `getfile "${join(dataDir, 'original file.bin')}"`);
    expect(command).toMatchObject({
      state: 'Completed',
      files: [{ name: 'original file.bin', size: content.length }],
    });
    const fileId = command.files[0]?.fileId ?? '';
    const download = await ana.fileDownload(sessionId, fileId);
    expect(download).toMatchObject({
      replaced: false,
      sha256: createHash('sha256').update(content).digest('hex'),
    });
    await ana.download(download, join(dataDir, 'copy.bin'));
    expect((await readFile(join(dataDir, 'copy.bin'))).equals(content)).toBe(true);
    expect((await ana.files(sessionId)).map((file) => file.fileId)).toEqual([fileId]);
  });
});

it('keeps a history that verifies and that two app processes wrote', async () => {
  const ana = responder('ana');
  const { sessionId } = await inSession(ana, async (session) => {
    await ana.runCommand(session.sessionId, 'jobs');
    await ana.runCommand(session.sessionId, 'dir /');
    return session;
  });
  const { version } = await eventually('the session is settled', async () => {
    const session = await ana.session(sessionId);
    return session.status === 'ended' && session.openCommands.length === 0 ? session : undefined;
  });
  const events: Envelope[] = [];
  for await (const event of ana.recordedEvents(sessionId)) events.push(event);
  expect(events.map(({ type }) => type)).toEqual([
    'SessionRequested',
    'SessionConnected',
    'CommandIssued',
    'CommandCompleted',
    'CommandIssued',
    'CommandStarted',
    'CommandOutputRecorded',
    'CommandCompleted',
    'SessionDisconnected',
  ]);
  expect(historyFaults(sessionId, events, version)).toEqual([]);
  const work = await workByAppProcess(inject('cloud'));
  expect(work).toHaveLength(2);
  expect(Math.min(...work)).toBeGreaterThan(0);
});

it('tells a follower everything once, in order, to the end', async () => {
  const ana = responder('ana');
  const { sessionId } = await openConnected(ana, inject('cloud').device.deviceId);
  const followed: number[] = [];
  const following = (async () => {
    for await (const event of ana.events(sessionId)) followed.push(event.version);
  })();
  await ana.runCommand(sessionId, 'dir /');
  await ana.disconnect(sessionId);
  await following;
  const { version } = await ana.session(sessionId);
  expect(followed).toEqual(Array.from({ length: version }, (_, index) => index + 1));
});
