import { randomBytes } from 'node:crypto';
import { type BrokerError, describeError, lockLost } from '../brokerError.ts';
import { deliveryTagOf } from '../codec/values.ts';
import type { Deadlines } from '../engine/deadlines.ts';
import type { Consumer, HandedMessage, Session } from '../engine/model.ts';
import type { Disposition, Queue, RemovalListener } from '../engine/queue.ts';
import { type ActiveFault, type Faults, refuseIfAsked } from '../faults.ts';
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

export interface ReceiverContext {
  readonly store: Store;
  readonly faults: Faults;
  readonly deadlines: Deadlines;
}

/** A client's receiver on a queue. */
export class EntityReceiver implements OutboundLink, Consumer {
  readonly link: SenderLink;
  readonly path: string;
  readonly anyOf = ['Listen'] as const;
  readonly deletesOnReceive: boolean;
  session?: Session | undefined;
  readonly #queue: Queue;
  readonly #context: ReceiverContext;
  readonly #onRemoval: RemovalListener;
  readonly #lockTokens = new Map<number, Buffer>();
  /** Transfers given to rhea, and credit that was used up by draining: both move the delivery count. */
  #sent = 0;
  #drained = 0;
  /** Messages of a receiveAndDelete receiver: first until their deletion is on disk, then until rhea has room. */
  #beingDeleted = 0;
  readonly #outbox: Buffer[] = [];
  /** Messages that a fault keeps back for a while. */
  #keptBack = 0;
  #drainWaits = false;
  #stopWaiting: (() => void) | undefined;
  #ended = false;

  constructor(link: SenderLink, path: string, queue: Queue, context: ReceiverContext) {
    this.link = link;
    this.path = path;
    this.#queue = queue;
    this.#context = context;
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
    const pending = this.#beingDeleted + this.#outbox.length + this.#keptBack;
    // rhea lowers the credit only when it writes the frame, and its buffer of unsettled deliveries is bounded.
    const credit = this.link.credit - this.#unwritten();
    return Math.min(credit, this.link.session.outgoing.available()) - pending;
  }

  hand(message: HandedMessage): void {
    const fault = this.#context.faults.meet('deliver', this.path);
    if (fault) this.#handFaulty(message, fault);
    else this.#hand(message);
  }

  #handFaulty(message: HandedMessage, fault: ActiveFault<'deliver'>): void {
    switch (fault.do) {
      case 'drop': // As if the receiver had died with it: it stays locked, or is lost in receiveAndDelete.
        break;
      case 'delay':
        this.#keptBack += 1;
        this.#context.deadlines.schedule(Date.now() + fault.delayMs, () => {
          this.#keptBack -= 1;
          if (!this.#ended) this.#hand(message);
        });
        break;
      case 'duplicate': {
        this.#hand(message);
        const { lockToken } = message;
        if (lockToken) this.#context.store.afterCommit(() => this.#queue.loseLock(lockToken));
        else this.#hand(message);
        break;
      }
      default:
        fault.do satisfies never;
    }
  }

  #hand({ encoded, lockToken }: HandedMessage): void {
    if (lockToken) {
      const delivery = this.#transfer(encoded, deliveryTagOf(lockToken));
      this.#lockTokens.set(delivery.id, lockToken);
      return;
    }
    this.#beingDeleted += 1;
    this.#context.store.afterCommit(() => {
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
    const fault = this.#context.faults.meet('settle', this.path);
    if (fault?.do === 'drop') return;
    if (fault?.do === 'cutBefore') return void this.#cut();
    this.#lockTokens.delete(delivery.id);
    try {
      refuseIfAsked(fault);
      if (fault?.do === 'lockLost') {
        this.#queue.loseLock(token);
        throw lockLost();
      }
      this.#queue.settle(token, dispositionOf(outcome, delivery));
      this.#context.store.afterCommit(() => {
        if (fault?.do === 'cutAfter') this.#cut();
        // Never the client's own outcome: the SDK takes an echoed rejection for a failure to dead-letter.
        else if (fault?.do !== 'loseAnswer') this.#answer(delivery, acceptedState());
      });
    } catch (error) {
      this.#answer(delivery, rejectedState(describeError(error)));
    }
  }

  #cut(): void {
    this.link.connection.socket?.destroy();
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
      return {
        kind: state?.undeliverable_here ? 'defer' : 'abandon',
        properties: state?.message_annotations ?? {},
      };
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
