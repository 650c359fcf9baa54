import type { Store } from '../store.ts';
import type { Deadline, Deadlines } from './deadlines.ts';

const shortestSweepMs = 1000;

/** Message ids seen within the detection window of one queue; they survive a restart. */
export class Duplicates {
  readonly #queueId: number;
  readonly #store: Store;
  readonly #deadlines: Deadlines;
  readonly #seen = new Map<string, number>();
  #sweep: Deadline | undefined;

  constructor(queueId: number, store: Store, deadlines: Deadlines) {
    this.#queueId = queueId;
    this.#store = store;
    this.#deadlines = deadlines;
  }

  /** Notes the id. @returns true when it was seen within the window. */
  isRepeated(messageId: string, windowMs: number): boolean {
    const now = Date.now();
    if ((this.#seen.get(messageId) ?? 0) > now) return true;
    const expiresAt = now + windowMs;
    this.#store.change('INSERT OR REPLACE INTO seen VALUES(?,?,?)', this.#queueId, messageId, expiresAt);
    this.restore(messageId, expiresAt);
    return false;
  }

  /** Rows must come oldest first. */
  restore(messageId: string, expiresAt: number): void {
    this.#seen.delete(messageId);
    this.#seen.set(messageId, expiresAt);
    if (!this.#sweep) this.#scheduleSweep(expiresAt);
  }

  stop(): void {
    this.#sweep?.cancel();
  }

  #scheduleSweep(oldest: number): void {
    const at = Math.max(oldest, Date.now() + shortestSweepMs);
    this.#sweep = this.#deadlines.schedule(at, () => this.#forgetOld());
  }

  #forgetOld(): void {
    this.#sweep = undefined;
    const now = Date.now();
    for (const [messageId, expiresAt] of this.#seen) {
      if (expiresAt > now) {
        this.#scheduleSweep(expiresAt);
        return;
      }
      this.#seen.delete(messageId);
      this.#store.change('DELETE FROM seen WHERE queue=? AND message_id=?', this.#queueId, messageId);
    }
  }
}
