import { Heap } from './heap.ts';

export interface Deadline {
  cancel(): void;
}

interface Entry extends Deadline {
  readonly at: number;
  run: (() => void) | undefined;
}

const longestTimeoutMs = 2 ** 31 - 1;

/** Any number of one-shot alarms on a single timer: no polling, so an idle broker costs nothing. */
export class Deadlines {
  readonly #entries = new Heap<Entry>((a, b) => a.at < b.at);
  #cancelled = 0;
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  /** Runs `run` at the moment `at` (ms since 1970), or soon if that has passed. Never fires for infinity. */
  schedule(at: number, run: () => void): Deadline {
    const entry: Entry = { at, run, cancel: () => this.#cancel(entry) };
    if (at === Number.POSITIVE_INFINITY) return entry;
    this.#entries.push(entry);
    if (at < this.#armedFor) this.#arm();
    return entry;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#entries.retain(() => false);
    this.#armedFor = Number.NEGATIVE_INFINITY;
  }

  #cancel(entry: Entry): void {
    if (entry.run === undefined) return;
    entry.run = undefined;
    // Locks are mostly cancelled long before their time; without this the heap would hold a minute's worth of them.
    this.#cancelled += 1;
    if (this.#cancelled > 1024 && this.#cancelled * 2 > this.#entries.size) {
      this.#entries.retain((other) => other.run !== undefined);
      this.#cancelled = 0;
    }
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const next = this.#entries.peek();
    this.#armedFor = next?.at ?? Number.POSITIVE_INFINITY;
    if (!next) return;
    const delay = Math.min(Math.max(next.at - Date.now(), 0), longestTimeoutMs);
    this.#timer = setTimeout(() => this.#fire(), delay);
    this.#timer.unref();
  }

  #fire(): void {
    const now = Date.now();
    for (let next = this.#entries.peek(); next && next.at <= now; next = this.#entries.peek()) {
      this.#entries.pop();
      const { run } = next;
      next.run = undefined;
      if (run) run();
      else this.#cancelled = Math.max(0, this.#cancelled - 1);
    }
    this.#arm();
  }
}
