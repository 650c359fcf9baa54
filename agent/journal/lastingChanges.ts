import { log } from '../log.ts';
import { isOutOfRoom } from './diskReserve.ts';

const retryMs = 1_000;

/**
 * Changes that have happened and must reach the journal, in the order in which they happened. What finds no room on the disk
 * waits in memory until there is some; should the agent die before, the journal says less than happened and never more.
 */
export class LastingChanges {
  readonly #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  make(change: () => void): void {
    this.#waiting.push(change);
    if (this.#timer === undefined) this.#makeAll();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #makeAll(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        next();
      } catch (error) {
        if (!isOutOfRoom(error)) throw error;
        if (this.#timer === undefined)
          log('the disk is full: what happened is kept in memory until there is room');
        this.#waiting.unshift(next);
        this.#timer = setTimeout(() => this.#makeAll(), retryMs);
        return;
      }
    }
    this.#timer = undefined;
  }
}
