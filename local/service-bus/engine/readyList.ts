import { Heap } from './heap.ts';

/** Sequence numbers of messages that wait, lowest first: new ones come in order, returned ones go back in between. */
export class ReadyList {
  #arrived: number[] = [];
  #head = 0;
  readonly #returned = new Heap<number>((a, b) => a < b);

  get isEmpty(): boolean {
    return this.#head === this.#arrived.length && this.#returned.size === 0;
  }

  add(sequence: number): void {
    const last = this.#arrived.at(-1);
    if (this.#head === this.#arrived.length || last === undefined || sequence > last)
      this.#arrived.push(sequence);
    else this.#returned.push(sequence);
  }

  take(): number | undefined {
    const arrived = this.#arrived[this.#head];
    const returned = this.#returned.peek();
    if (returned !== undefined && (arrived === undefined || returned < arrived)) return this.#returned.pop();
    if (arrived === undefined) return undefined;
    this.#head += 1;
    if (this.#head > 1024 && this.#head * 2 > this.#arrived.length) {
      this.#arrived = this.#arrived.slice(this.#head);
      this.#head = 0;
    }
    return arrived;
  }
}
