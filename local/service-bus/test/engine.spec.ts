import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { formatDuration, parseDuration } from '../administration/durations.ts';
import { deliveryTagOf, dotNetTicks } from '../codec/values.ts';
import { Deadlines } from '../engine/deadlines.ts';
import { ReadyList } from '../engine/readyList.ts';
import { Store } from '../store.ts';
import { parseResourceUri, reaches, upwards } from '../tokens/scope.ts';

describe('ReadyList', () => {
  it('gives the lowest number first, whatever was taken and returned before', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('arrive', 'take', 'return')), (steps) => {
        const list = new ReadyList();
        const waiting = new Set<number>();
        const taken: number[] = [];
        let next = 1;
        for (const step of steps) {
          if (step === 'arrive') {
            waiting.add(next);
            list.add(next);
            next += 1;
          } else if (step === 'take') {
            const expected = waiting.size === 0 ? undefined : Math.min(...waiting);
            expect(list.take()).toBe(expected);
            if (expected !== undefined) {
              waiting.delete(expected);
              taken.push(expected);
            }
          } else {
            const back = taken.shift();
            if (back !== undefined) {
              waiting.add(back);
              list.add(back);
            }
          }
          expect(list.isEmpty).toBe(waiting.size === 0);
        }
      }),
    );
  });
});

describe('Deadlines', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('fires each alarm at its time, in order, and no cancelled one', () => {
    const deadlines = new Deadlines();
    const fired: string[] = [];
    const now = Date.now();
    deadlines.schedule(now + 300, () => fired.push('late'));
    deadlines.schedule(now + 100, () => fired.push('early'));
    deadlines.schedule(now + 200, () => fired.push('never')).cancel();
    deadlines.schedule(Number.POSITIVE_INFINITY, () => fired.push('infinite'));
    vi.advanceTimersByTime(99);
    expect(fired).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(fired).toEqual(['early']);
    vi.advanceTimersByTime(10_000);
    expect(fired).toEqual(['early', 'late']);
    deadlines.stop();
  });

  it('sets no timer while there is nothing to wait for', () => {
    const deadlines = new Deadlines();
    expect(vi.getTimerCount()).toBe(0);
    for (let index = 0; index < 5000; index += 1)
      deadlines.schedule(Date.now() + 60_000, () => undefined).cancel();
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
    vi.advanceTimersByTime(60_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('waits longer than a timer of the platform can', () => {
    const deadlines = new Deadlines();
    const run = vi.fn();
    deadlines.schedule(Date.now() + 60 * 86_400_000, run);
    vi.advanceTimersByTime(59 * 86_400_000);
    expect(run).not.toHaveBeenCalled();
    vi.advanceTimersByTime(86_400_000);
    expect(run).toHaveBeenCalledOnce();
  });
});

describe('Store', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'service-bus-store-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('runs what waits for a commit after it, in order', async () => {
    const store = new Store(join(dir, 'db'), 'NORMAL');
    const seen: string[] = [];
    store.change('INSERT INTO seen VALUES(1, ?, 1)', 'a');
    store.afterCommit(() => seen.push(`first ${store.rows('SELECT * FROM seen').length}`));
    store.change('INSERT INTO seen VALUES(1, ?, 1)', 'b');
    await new Promise<void>((resolve) => store.afterCommit(resolve));
    expect(seen).toEqual(['first 2']);
    store.close();
  });

  it('acknowledges nothing after a failed commit, and fails from then on', async () => {
    const store = new Store(join(dir, 'db'), 'NORMAL');
    const acknowledge = vi.fn();
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const failed = new Promise<Error>((resolve) => process.once('uncaughtException', resolve));
    try {
      store.change('INSERT INTO seen VALUES(1, ?, 1)', 'a');
      store.change('INSERT INTO seen VALUES(1, ?, 1)', 'a');
      store.afterCommit(acknowledge);
      expect((await failed).message).toMatch(/may acknowledge nothing/);
    } finally {
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
    expect(acknowledge).not.toHaveBeenCalled();
    expect(() => store.afterCommit(acknowledge)).toThrow(/Restart the broker/);
    store.close();
  });
});

describe('small formats', () => {
  it('durations', () => {
    expect(parseDuration('P1DT2H3M4.5S')).toBe(93_784_500);
    expect(parseDuration('PT1M')).toBe(60_000);
    expect(parseDuration('P10675199DT2H48M5.4775807S')).toBeNull();
    expect(formatDuration(90_000)).toBe('PT90S');
    for (const text of ['', 'P', 'PT', '1M', 'PT1X']) {
      expect(() => parseDuration(text)).toThrow(/ISO 8601/);
    }
  });

  it('ticks and lock tokens', () => {
    expect(dotNetTicks(0).readBigInt64BE()).toBe(621_355_968_000_000_000n);
    expect(deliveryTagOf(Buffer.from('00112233445566778899aabbccddeeff', 'hex')).toString('hex')).toBe(
      '33221100554477668899aabbccddeeff',
    );
  });

  it('scopes', () => {
    expect(parseResourceUri('sb://Host:1/A/b/?x=1')).toEqual({ host: 'host:1', path: 'a/b' });
    expect(parseResourceUri('d1/$management')).toEqual({ path: 'd1/$management' });
    expect([reaches('d1', 'd1'), reaches('d1', 'd1/x'), reaches('d1', 'd10'), reaches('', 'd1')]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect([...upwards('a/b/c')]).toEqual(['a/b/c', 'a/b', 'a', '']);
  });
});
