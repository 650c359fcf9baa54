/** Thrown when a new request would exceed the outstanding limit. */
export class TooManyRequests extends Error {}

/** The two counters of the `http` section: how many requests are in the host, and how many run at once. */
export class RequestQueue {
  readonly #maxOutstanding: number;
  readonly #maxConcurrent: number;
  readonly #waiting: (() => void)[] = [];
  #outstanding = 0;
  #running = 0;

  constructor(maxOutstanding: number, maxConcurrent: number) {
    this.#maxOutstanding = maxOutstanding;
    this.#maxConcurrent = maxConcurrent;
  }

  /** Waits for a turn; the returned function gives it back. @throws {TooManyRequests} */
  async enter(): Promise<() => void> {
    if (this.#outstanding >= this.#maxOutstanding)
      throw new TooManyRequests('Too many outstanding requests.');
    this.#outstanding += 1;
    if (this.#running >= this.#maxConcurrent)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#outstanding -= 1;
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next(); // hands the turn over, so the running count stays
    };
  }
}
