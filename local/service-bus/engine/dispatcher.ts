import type { Consumer, QueueMessage, Session } from './model.ts';
import type { ReadyList } from './readyList.ts';

/** Decides which consumer gets a ready message. */
export interface Dispatcher {
  /** A message became ready: new, or back after a lock. */
  add(message: QueueMessage): void;
  /** A message has left the queue for good. */
  removed(message: QueueMessage): void;
  /** The consumer has (or may have) credit. */
  wants(consumer: Consumer): void;
  leave(consumer: Consumer): void;
}

/** What a dispatcher needs of its queue. */
export interface DispatchedQueue {
  readonly lockDurationMs: number;
  /** The first message of the list that is still there, unlocked and not expired. */
  takeReady(list: ReadyList): QueueMessage | undefined;
  handOver(message: QueueMessage, consumer: Consumer, session?: Session): void;
  /** Ends a lock and makes the message ready again; `counted` adds one to its delivery count. */
  giveBack(message: QueueMessage, counted: boolean): void;
}
