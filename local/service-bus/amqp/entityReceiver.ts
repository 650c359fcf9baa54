import { randomBytes } from 'node:crypto';
import { type BrokerError, describeError, notImplemented } from '../brokerError.ts';
import { deliveryTagOf } from '../codec/values.ts';
import type { Consumer, HandedMessage, Session } from '../engine/model.ts';
import type { Disposition, Queue, RemovalListener } from '../engine/queue.ts';
import type { Store } from '../store.ts';
import type { OutboundLink, OutcomeName } from './attachedLink.ts';
import {
  type AmqpError,
  acceptedState,
  type Delivery,
  type EventContext,
  rejectedState,
  type SenderLink,
} from './rhea.ts';
import { refuseAttach } from './serverConnection.ts';

const settleMode = { unsettled: 0, settled: 1 } as const;

/** A client's receiver on a queue. */
export class EntityReceiver implements OutboundLink, Consumer {
  readonly link: SenderLink;
  readonly path: string;
  readonly anyOf = ['Listen'] as const;
  readonly deletesOnReceive: boolean;
  session?: Session | undefined;
  readonly #queue: Queue;
  readonly #store: Store;
  readonly #onRemoval: RemovalListener;
  readonly #lockTokens = new Map<number, Buffer>();
  /** Transfers given to rhea, and credit that was used up by draining: both move the delivery count. */
  #sent = 0;
  #drained = 0;
  /** Messages of a receiveAndDelete receiver: first until their deletion is on disk, then until rhea has room. */
  #beingDeleted = 0;
  readonly #outbox: Buffer[] = [];
  #drainWaits = false;
  #stopWaiting: (() => void) | undefined;
  #ended = false;

  constructor(link: SenderLink, path: string, queue: Queue, store: Store) {
    this.link = link;
    this.path = path;
    this.#queue = queue;
    this.#store = store;
    this.deletesOnReceive = link.snd_settle_mode === settleMode.settled;
    this.#onRemoval = (reason) => this.end(reason);
    queue.removalListeners.add(this.#onRemoval);
    const { attach } = link.local;
    attach.snd_settle_mode = this.deletesOnReceive ? settleMode.settled : settleMode.unsettled;
    if (!this.deletesOnReceive) attach.rcv_settle_mode = link.rcv_settle_mode ?? 0;
    // rhea itself answers no drain when there is no credit left, and the SDK then gives the link up.
    link._get_drain = () => this.#useUpCredit();
  }

  /** Held back attaches stop waiting for a session through this. */
  waitsForSession(stop: () => void): void {
    this.#stopWaiting = stop;
  }

  capacity(): number {
    if (this.#ended || !this.link.is_open()) return 0;
    const pending = this.#beingDeleted + this.#outbox.length;
    // rhea lowers the credit only when it writes the frame, and its buffer of unsettled deliveries is bounded.
    const credit = this.link.credit - this.#unwritten();
    return Math.min(credit, this.link.session.outgoing.available()) - pending;
  }

  hand({ encoded, lockToken }: HandedMessage): void {
    if (lockToken) {
      const delivery = this.#transfer(encoded, deliveryTagOf(lockToken));
      this.#lockTokens.set(delivery.id, lockToken);
      return;
    }
    this.#beingDeleted += 1;
    this.#store.afterCommit(() => {
      this.#beingDeleted -= 1;
      this.#outbox.push(encoded);
      this.#emptyOutbox();
    });
  }

  end(reason: BrokerError): void {
    this.close(describeError(reason));
  }

  close(error: AmqpError): void {
    const isHeldBack = this.#stopWaiting !== undefined;
    this.#leave();
    if (isHeldBack) refuseAttach(this.link, error);
    else if (this.link.is_open()) this.link.close(error);
  }

  gone(reachable: boolean): void {
    // A held back attach must still be answered before the detach can be.
    if (this.#stopWaiting && reachable) this.link.open();
    this.#leave();
  }

  onCredit(): void {
    this.#emptyOutbox();
    this.#queue.wants(this);
  }

  onDrain(): void {
    if (this.#beingDeleted + this.#outbox.length > 0) this.#drainWaits = true;
    else this.link.set_drained(true);
  }

  onOutcome(outcome: OutcomeName, { delivery }: EventContext): void {
    const token = this.#lockTokens.get(delivery.id);
    if (!token) return;
    this.#lockTokens.delete(delivery.id);
    try {
      this.#queue.settle(token, dispositionOf(outcome, delivery));
      // Never the client's own outcome: the SDK takes an echoed rejection for a failure to dead-letter.
      this.#store.afterCommit(() => this.#answer(delivery, acceptedState()));
    } catch (error) {
      this.#answer(delivery, rejectedState(describeError(error)));
    }
  }

  #leave(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
    this.#queue.removalListeners.delete(this.#onRemoval);
    this.#queue.leave(this);
  }

  /** A session was granted: the attach may be answered. */
  sessionGranted(): void {
    this.#stopWaiting = undefined;
  }

  #unwritten(): number {
    return this.#sent - (this.link.delivery_count - this.#drained);
  }

  #transfer(encoded: Buffer, tag: Buffer): Delivery {
    this.#sent += 1;
    return this.link.send(encoded, tag, 0);
  }

  #emptyOutbox(): void {
    while (this.#outbox.length > 0 && this.link.is_open() && this.link.session.outgoing.available() > 0) {
      this.#transfer(this.#outbox.shift() as Buffer, randomBytes(16));
    }
    if (this.#drainWaits && this.#beingDeleted + this.#outbox.length === 0) {
      this.#drainWaits = false;
      this.link.set_drained(true);
      this.link.connection._register();
    }
  }

  #useUpCredit(): boolean {
    if (!this.link._draining) return false;
    const unused = Math.max(this.link.credit - this.#unwritten(), 0);
    this.#drained += unused;
    this.link.delivery_count += unused;
    this.link.credit -= unused;
    return true;
  }

  #answer(delivery: Delivery, state: unknown): void {
    if (delivery.remote_settled) delivery.settled = true;
    else {
      delivery.update(true, state);
      // Without this the delivery stays in rhea's buffer for ever, and after 2,048 of them the link is dead.
      delivery.remote_settled = true;
    }
    this.link.connection._register();
  }
}

function dispositionOf(outcome: OutcomeName, delivery: Delivery): Disposition {
  const state = delivery.remote_state;
  switch (outcome) {
    case 'accepted':
      return { kind: 'complete' };
    case 'released':
      return { kind: 'abandon' };
    case 'modified':
      if (state?.undeliverable_here) throw notImplemented('Deferring a message');
      return { kind: 'abandon', properties: state?.message_annotations ?? {} };
    case 'rejected': {
      const {
        DeadLetterReason: reason = state?.error?.condition,
        DeadLetterErrorDescription: description = state?.error?.description,
        ...properties
      } = state?.error?.info ?? {};
      return {
        kind: 'dead-letter',
        ...(reason === undefined || reason === null ? {} : { reason: String(reason) }),
        ...(description === undefined || description === null ? {} : { description: String(description) }),
        properties,
      };
    }
    default:
      return outcome satisfies never;
  }
}
