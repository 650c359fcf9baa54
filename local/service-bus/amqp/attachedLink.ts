import type { Right } from '../config.ts';
import type { AmqpError, EventContext, SenderLink } from './rhea.ts';

/** The broker's end of one link, whichever way messages flow. */
export interface AttachedLink {
  /** Address in lower case. */
  readonly path: string;
  /** Any one of these on the path keeps the link alive; empty for links that need no token. */
  readonly anyOf: readonly Right[];
  close(error: AmqpError): void;
  /** The link has ended. `reachable` is false when its connection is gone, too. */
  gone(reachable: boolean): void;
}

export interface InboundLink extends AttachedLink {
  /** True when messages are to come as raw bytes. */
  readonly wantsBytes: boolean;
  onMessage(context: EventContext): void;
}

export interface OutboundLink extends AttachedLink {
  readonly link: SenderLink;
  /** Credit or room in rhea's buffer may have changed. */
  onCredit(): void;
  onDrain(): void;
  onOutcome(outcome: OutcomeName, context: EventContext): void;
}

export type OutcomeName = 'accepted' | 'rejected' | 'released' | 'modified';
