import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { TimerState } from '../triggers/timerState.ts';
import { Notes } from './notes.ts';
import { eventually, keys, startHost, temporaryFolder, writeApp } from './startHost.ts';

interface Tick {
  at: number;
  isPastDue: boolean;
  status: { last: string; next: string } | null;
}

const app = (schedule: string, options = '', body = '') =>
  writeApp(`
    const { appendFileSync } = require('node:fs');
    app.timer('tick', { schedule: '${schedule}', ${options} handler: async (timer) => {
      appendFileSync(process.env.NOTES, JSON.stringify({ at: Date.now(), isPastDue: timer.isPastDue, status: timer.scheduleStatus ?? null }) + '\\n');
      ${body}
    } });`);
const any = () => true;

describe('timer trigger', () => {
  it('fires every second on a six-field schedule, without a status that dense schedules do not have', async () => {
    const notes = new Notes<Tick>();
    await startHost(app('* * * * * *'), { settings: { NOTES: notes.file } });
    const ticks = await notes.atLeast(2, any);
    expect(ticks[0]).toMatchObject({ isPastDue: false, status: null });
  });

  it('E-44 never overlaps itself', async () => {
    const notes = new Notes<Tick>();
    await startHost(app('* * * * * *', '', 'await new Promise((resolve) => setTimeout(resolve, 1500));'), {
      settings: { NOTES: notes.file },
    });
    const [first, second] = await notes.atLeast(2, any);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1500);
  });

  it('E-44 fires a missed occurrence once at the start with isPastDue, if monitored', async () => {
    const dataDir = temporaryFolder();
    const missed = {
      last: '2026-01-01T00:00:00.000Z',
      next: '2026-01-02T00:00:00.000Z',
      lastUpdated: '2026-01-01T00:00:00.000Z',
    };
    const remember = () => {
      const state = new TimerState(path.join(dataDir, 'timers.sqlite'));
      state.write('tick', missed);
      state.close();
    };
    remember();
    const notes = new Notes<Tick>();
    const settings = { NOTES: notes.file };
    const first = await startHost(app('0 0 0 1 1 *'), { dataDir, settings });
    const [tick] = await notes.atLeast(1, any);
    expect(tick).toMatchObject({ isPastDue: true, status: { last: missed.last, next: missed.next } });
    await eventually(async () =>
      (await first.status()).invocations.tick?.succeeded === 1 ? true : undefined,
    );
    await first.close();
    const second = await startHost(app('0 0 0 1 1 *'), { dataDir, settings });
    expect((await second.status()).invocations.tick).toBeUndefined();
    await second.close();
    remember();
    const unmonitored = await startHost(app('0 0 0 1 1 *', 'useMonitor: false,'), { dataDir, settings });
    expect((await unmonitored.status()).invocations.tick).toBeUndefined();
    expect(notes.all()).toHaveLength(1);
  });

  it('can be fired by hand with the master key', async () => {
    const notes = new Notes<Tick>();
    const host = await startHost(app('0 0 0 1 1 *'), { settings: { NOTES: notes.file } });
    const fire = (name: string, key: string) =>
      host.get(`/admin/functions/${name}`, {
        method: 'POST',
        headers: { 'x-functions-key': key },
        body: '{}',
      });
    expect((await fire('tick', keys.functionKey)).status).toBe(401);
    expect((await fire('tock', keys.masterKey)).status).toBe(404);
    expect((await fire('tick', keys.masterKey)).status).toBe(202);
    await notes.atLeast(1, any);
  });

  it.each(['every minute', '00:05:00', '61 * * * * *'])('refuses the schedule "%s"', async (schedule) => {
    await expect(startHost(app(schedule), { settings: { NOTES: 'x' } })).rejects.toThrow(/schedule/);
  });
});
