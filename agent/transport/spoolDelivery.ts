import { setTimeout as pause } from 'node:timers/promises';
import { parseUpward } from '../../contracts/device.ts';
import type { CrashPoint } from '../crashPoint.ts';
import type { Journal } from '../journal/journal.ts';
import type { Channel } from './channel.ts';

const firstWaitMs = 200;
const longestWaitMs = 30_000;

/**
 * Sends what is spooled: in order and one at a time within a session, sessions side by side. A message leaves the spool when the
 * broker has accepted it; when that is unknown it is sent again, with the same id and the same signature.
 */
export class SpoolDelivery {
  readonly #journal: Journal;
  readonly #channel: Channel;
  readonly #crashPoint: CrashPoint;
  readonly #pumps = new Map<string, Promise<void>>();
  #isClosed = false;
  readonly #wakers = new Set<() => void>();

  constructor(journal: Journal, channel: Channel, crashPoint: CrashPoint) {
    this.#journal = journal;
    this.#channel = channel;
    this.#crashPoint = crashPoint;
    channel.onConnected(() => {
      for (const wake of this.#wakers) wake();
      for (const scope of journal.scopesWithSpool()) this.wake(scope);
    });
  }

  wake(sessionId: string): void {
    if (this.#isClosed || this.#pumps.has(sessionId)) return;
    this.#pumps.set(
      sessionId,
      this.#pump(sessionId).finally(() => {
        this.#pumps.delete(sessionId);
        // Something may have been spooled between the last look and now.
        if (!this.#isClosed && this.#journal.oldestSpooled(sessionId) !== undefined) this.wake(sessionId);
      }),
    );
  }

  /** Resolves when nothing is left to send, at the latest after `patienceMs`. */
  async drain(patienceMs: number): Promise<void> {
    const until = performance.now() + patienceMs;
    while (this.#pumps.size > 0 && performance.now() < until) {
      await Promise.race([
        ...this.#pumps.values(),
        pause(until - performance.now(), undefined, { ref: false }),
      ]);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const wake of this.#wakers) wake();
  }

  async #pump(sessionId: string): Promise<void> {
    let wait = firstWaitMs;
    while (!this.#isClosed) {
      const next = this.#journal.oldestSpooled(sessionId);
      if (next === undefined) return;
      try {
        await this.#channel.send('messages', parseUpward(JSON.parse(next.message)));
        if (this.#isClosed) return;
        this.#crashPoint('after-send-before-settle');
        this.#journal.removeSpooled(next.position);
        wait = firstWaitMs;
      } catch {
        await this.#untilConnectedOr(wait * (0.5 + Math.random()));
        wait = Math.min(wait * 2, longestWaitMs);
      }
    }
  }

  async #untilConnectedOr(ms: number): Promise<void> {
    const stop = new AbortController();
    let wake: () => void = () => undefined;
    await Promise.race([
      new Promise<void>((resolve) => {
        wake = resolve;
        this.#wakers.add(wake);
      }),
      pause(ms, undefined, { signal: stop.signal }).catch(() => undefined),
    ]);
    this.#wakers.delete(wake);
    stop.abort();
  }
}
