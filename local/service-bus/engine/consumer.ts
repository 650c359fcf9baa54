import type { BrokerError } from '../brokerError.ts';
import type { Session } from './sessionDispatcher.ts';

export interface HandedMessage {
  readonly encoded: Buffer;
  /** Absent in receiveAndDelete mode. */
  readonly lockToken?: Buffer;
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
