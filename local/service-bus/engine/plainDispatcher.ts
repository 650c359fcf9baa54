import type { DispatchedQueue, Dispatcher } from './dispatcher.ts';
import type { Consumer, QueueMessage } from './model.ts';
import { ReadyList } from './readyList.ts';

/** Hands messages of a queue without sessions to whoever has waited longest with credit. */
export class PlainDispatcher implements Dispatcher {
  readonly #queue: DispatchedQueue;
  readonly #ready = new ReadyList();
  readonly #hungry = new Set<Consumer>();

  constructor(queue: DispatchedQueue) {
    this.#queue = queue;
  }

  add(message: QueueMessage): void {
    this.#ready.add(message.sequence);
    this.#pump();
  }

  removed(): void {}

  wants(consumer: Consumer): void {
    if (consumer.capacity() <= 0) this.#hungry.delete(consumer);
    else {
      this.#hungry.add(consumer);
      this.#pump();
    }
  }

  leave(consumer: Consumer): void {
    this.#hungry.delete(consumer);
  }

  #pump(): void {
    while (!this.#ready.isEmpty) {
      const [consumer] = this.#hungry;
      if (!consumer) return;
      if (consumer.capacity() <= 0) {
        this.#hungry.delete(consumer);
        continue;
      }
      const message = this.#queue.takeReady(this.#ready);
      if (!message) return;
      this.#queue.handOver(message, consumer);
      // To the end of the line, so that receivers take turns.
      this.#hungry.delete(consumer);
      if (consumer.capacity() > 0) this.#hungry.add(consumer);
    }
  }
}
