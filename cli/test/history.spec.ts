import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import type { Envelope } from '../../sdk/index.ts';
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

/** A session that has run one command and is over. */
const recorded = async (tamper?: (events: Envelope[]) => Envelope[]): Promise<void> => {
  server = await startLiveServer({
    ...(tamper ? { tamper } : {}),
    execute: (execution) => {
      execution.output('{"pid":1,"name":"init"}\n');
      execution.end('Failed', { exitCode: 3, error: { code: 'X', message: 'no\u001b[2J' } });
    },
  });
  place = await aWorkplace(server.address);
  await place.run(['run', 'web-01', 'processes', '-r', 'why\u202e not']);
};

it('shows every event and says that the chain holds', async () => {
  await recorded();
  const { exitCode, stdout, stderr } = await place.run(['history', server.sessionId()]);
  expect(stderr).toContain('The chain of 6 events holds');
  expect(stdout).toMatch(
    /1 +2026-01-02 03:04:05Z +SessionRequested +Ana +on linux device d+, because: why<U\+202E> not/,
  );
  expect(stdout).toMatch(/5 .*CommandFailed .*exit code 3, X: no␛\[2J/);
  expect(exitCode).toBe(0);
});

it.each([
  [
    'an event was changed',
    (events: Envelope[]) => edit(events, 2, (event) => ({ ...event, data: { ...event.data, line: 'dir' } })),
  ],
  [
    'a member was added',
    (events: Envelope[]) => edit(events, 0, (event) => ({ ...event, more: true }) as Envelope),
  ],
  ['the end was cut off', (events: Envelope[]) => events.slice(0, -1)],
])('exits with 2 when %s', async (_what, tamper) => {
  await recorded(tamper);
  const text = await place.run(['history', server.sessionId()]);
  expect(text.stderr).toContain('BROKEN');
  expect(text.exitCode).toBe(2);
  const json = await place.run(['history', server.sessionId(), '--json']);
  expect(json.exitCode).toBe(2);
  expect(JSON.parse(json.stdout)).toMatchObject({
    chain: { intact: false, faults: [{ version: expect.any(Number) }] },
  });
});

it('exports the events untouched, and not over a file that is there', async () => {
  await recorded();
  const path = join(place.folder, 'events.jsonl');
  await place.run(['history', server.sessionId(), '--export', path]);
  const lines = (await readFile(path, 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(server.events());
  const again = await place.run(['history', server.sessionId(), '--export', path]);
  expect(again.exitCode).toBe(5);
  expect(again.stderr).toContain('already there');
});

const edit = (events: Envelope[], index: number, change: (event: Envelope) => Envelope): Envelope[] =>
  events.map((event, at) => (at === index ? change(event) : event));
