import type { DispatchedQueue, Dispatcher } from './dispatcher.ts';
import type { QueueMessage } from './model.ts';
import { ReadyList } from './readyList.ts';

/** Keeps no message: of a topic, or of a queue that forwards. Nobody receives from these. */
export class PassingDispatcher implements Dispatcher {
  readonly #queue: DispatchedQueue;
  readonly #pass: (message: QueueMessage) => void;
  readonly #ready = new ReadyList();

  constructor(queue: DispatchedQueue, pass: (message: QueueMessage) => void) {
    this.#queue = queue;
    this.#pass = pass;
  }

  add(message: QueueMessage): void {
    this.#ready.add(message.sequence);
    const next = this.#queue.takeReady(this.#ready);
    if (next) this.#pass(next);
  }

  removed(): void {}

  wants(): void {}

  leave(): void {}
}
