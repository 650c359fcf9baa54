import type { Typed } from '../amqp/rhea.ts';
import type { BrokerError } from '../brokerError.ts';
import type { Header } from '../codec/message.ts';
import type { Deadline } from './deadlines.ts';
import type { ReadyList } from './readyList.ts';

/** As in the annotation `x-opt-message-state`. */
export const messageState = { active: 0, deferred: 1, scheduled: 2 } as const;
export type MessageState = (typeof messageState)[keyof typeof messageState];

/** A message in a queue; moments in ms since 1970. */
export interface QueueMessage {
  readonly sequence: number;
  /** Its number where it was sent first, if that was elsewhere: a topic, or a queue that forwarded it. */
  readonly firstSequence?: number;
  /** How often it has been forwarded; forgotten at a restart. */
  readonly hops?: number;
  state: MessageState;
  readonly enqueuedAt: number;
  /** Infinity when it never expires. */
  readonly expiresAt: number;
  deliveryCount: number;
  readonly sessionId?: string;
  readonly header: Header;
  readonly annotations: readonly Typed[];
  bare: Buffer;
  lock?: Lock | undefined;
  timeToLive?: Deadline;
}

/** A peek lock. */
export interface Lock {
  /** 16 bytes in the order of RFC 4122. */
  readonly token: Buffer;
  until: number;
  /** Absent for messages of a session, which live and die with the session's lock. */
  expiry?: Deadline;
  readonly session?: Session;
}

export interface Session {
  readonly id: string;
  readonly ready: ReadyList;
  /** Messages handed to the holder and not settled. */
  readonly held: Set<QueueMessage>;
  /** Bytes that its receivers keep with it. */
  state?: Buffer | undefined;
  /** Of messages and state. */
  updatedAt: number;
  /** Sequence numbers of its active messages. */
  readonly messages: Set<number>;
  holder?: Consumer | undefined;
  /** Meaningful while held. */
  lockedUntil: number;
  expiry?: Deadline | undefined;
}

/** An attached receiver, as the engine sees it. */
export interface Consumer {
  /** True in receiveAndDelete mode: handed over means gone. */
  readonly deletesOnReceive: boolean;
  /** The session this consumer holds, if any. */
  session?: Session | undefined;
  /** How many messages can be handed over right now. */
  capacity(): number;
  hand(message: HandedMessage): void;
  /** Ends the receiver from the broker's side. */
  end(reason: BrokerError): void;
}

export interface HandedMessage {
  readonly encoded: Buffer;
  /** Absent in receiveAndDelete mode. */
  readonly lockToken?: Buffer;
}
