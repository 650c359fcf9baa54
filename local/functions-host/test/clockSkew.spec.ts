import { describe, expect, it } from 'vitest';
import { eventually, startHost, writeApp } from './startHost.ts';

/** What one app process says about its clock; `true…` comes from clocks that nothing shifts. */
interface Clock {
  pid: number;
  aheadMs: number[];
  asText: string;
  given: string;
  oneDate: boolean;
  timerTookMs: number;
}

const app = `
const trueNow = () => performance.timeOrigin + performance.now();
app.http('clock', {
  handler: async () => {
    const begun = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const made = new Date();
    return {
      jsonBody: {
        pid: process.pid,
        aheadMs: [Date.now(), made.getTime(), Reflect.construct(Date, []).getTime()].map((time) => time - trueNow()),
        asText: Date(),
        given: new Date(2020, 1, 3, 4, 5).toString() + new Date('2020-01-02T03:04:05Z').toISOString(),
        oneDate: made instanceof Date && made.constructor === Date && Date.UTC(1970, 0, 1) === 0 &&
          new (class Later extends Date {})() instanceof Date,
        timerTookMs: performance.now() - begun,
      },
    };
  },
});`;

const HOUR_MS = 3_600_000;
/** Far below the skew, far above what a loaded machine or a small step of its clock makes of "now". */
const TOLERANCE_MS = 600_000;

describe('E-20 app processes with different clocks', () => {
  it('shifts the wall clock of each process and nothing else, over restarts', async () => {
    const host = await startHost(writeApp(app), {
      appProcesses: 2,
      faults: { clockSkewSeconds: [0, 2 * 3600] },
    });
    const [first = 0, second = 0] = host.appProcesses;
    const clockOf = (pid: number) =>
      eventually(async () => {
        const clock = (await (await host.get('/api/clock')).json()) as Clock;
        return clock.pid === pid ? clock : undefined;
      });
    const expectAhead = (clock: Clock, ms: number) => {
      for (const ahead of clock.aheadMs) expect(Math.abs(ahead - ms)).toBeLessThan(TOLERANCE_MS);
      expect(Math.abs(Date.parse(clock.asText) - Date.now() - ms)).toBeLessThan(TOLERANCE_MS);
      expect(clock.given).toBe(`${new Date(2020, 1, 3, 4, 5).toString()}2020-01-02T03:04:05.000Z`);
      expect(clock.oneDate).toBe(true);
      expect(clock.timerTookMs).toBeLessThan(TOLERANCE_MS);
    };
    expectAhead(await clockOf(first), 0);
    expectAhead(await clockOf(second), 2 * HOUR_MS);
    process.kill(second, 'SIGKILL');
    const fresh = await eventually(() => {
      const pid = host.appProcesses.find((candidate) => candidate !== first && candidate !== second);
      return pid;
    });
    expectAhead(await clockOf(fresh), 2 * HOUR_MS);
  });

  it('refuses a skew for a process that does not run', async () => {
    await expect(
      startHost(writeApp(app), { appProcesses: 1, faults: { clockSkewSeconds: [0, 2] } }),
    ).rejects.toThrow(/at most one number of seconds per app process \(1\)/);
  });
});
