import type { UpwardMessage } from '../../contracts/device.ts';

/** A message from the device's queue, not yet checked. */
export interface Delivery {
  readonly body: unknown;
  /** Seconds that it may wait for a reader, as its sender set it; null when unknown. */
  readonly timeToLive: number | null;
  /** Takes it off the queue. Never throws: what could not be completed comes again. */
  complete(): Promise<void>;
}

export type UpwardQueue = 'presence' | 'messages';

/** The way to the backend's queues. */
export interface Channel {
  /** Begins to receive, one delivery after the other, and keeps trying for ever. */
  start(handler: (delivery: Delivery) => Promise<void>): void;
  /** Resolves when the queue has the message; throws when it is unknown whether it has it. */
  send(queue: UpwardQueue, message: UpwardMessage): Promise<void>;
  /** Calls back each time the way is open (again). */
  onConnected(listener: () => void): void;
  /** Resolves to false when the way turned out to be broken; it is then being opened anew. */
  probe(): Promise<boolean>;
  /** Seconds. */
  readonly heartbeatEvery: number;
  close(): Promise<void>;
}
