import type { Typed } from '../amqp/rhea.ts';
import type { Header } from '../codec/message.ts';
import type { Deadline } from './deadlines.ts';
import type { Session } from './sessionDispatcher.ts';

/** A peek lock. `token` is in RFC 4122 order; `until` in ms since 1970. */
export interface Lock {
  readonly token: Buffer;
  until: number;
  /** Absent for messages of a session, which live and die with the session's lock. */
  expiry?: Deadline;
  readonly session?: Session;
}

export interface QueueMessage {
  readonly sequence: number;
  readonly enqueuedAt: number;
  /** Ms since 1970, or infinity. */
  readonly expiresAt: number;
  deliveryCount: number;
  readonly sessionId?: string;
  readonly header: Header;
  readonly annotations: readonly Typed[];
  bare: Buffer;
  lock?: Lock | undefined;
  timeToLive?: Deadline;
}
