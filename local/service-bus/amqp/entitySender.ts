import { BrokerError, describeError, invalidArgument } from '../brokerError.ts';
import { type ParsedMessage, parseMessage, splitBatch } from '../codec/message.ts';
import type { Queue, RemovalListener } from '../engine/queue.ts';
import { type ActiveFault, type Faults, refuseIfAsked } from '../faults.ts';
import type { Store } from '../store.ts';
import type { InboundLink } from './attachedLink.ts';
import type { AmqpError, Delivery, EventContext, ReceiverLink } from './rhea.ts';
import { undecodedFormat } from './serverConnection.ts';

/** Largest transfer in bytes, batch envelope included. */
export const maxMessageSize = 262_144;
const batchFormat = 0x8001_3700;

export interface SenderContext {
  readonly store: Store;
  readonly faults: Faults;
}

/** A client's sender on a queue: each transfer is accepted once it is on disk, or rejected as a whole. */
export class EntitySender implements InboundLink {
  readonly path: string;
  readonly anyOf = ['Send'] as const;
  readonly wantsBytes = true;
  readonly #link: ReceiverLink;
  readonly #queue: Queue;
  readonly #context: SenderContext;
  readonly #onRemoval: RemovalListener;

  constructor(link: ReceiverLink, path: string, queue: Queue, context: SenderContext) {
    this.#link = link;
    this.path = path;
    this.#queue = queue;
    this.#context = context;
    this.#onRemoval = (reason) => this.close(describeError(reason));
    queue.removalListeners.add(this.#onRemoval);
    link.local.attach.max_message_size = maxMessageSize;
  }

  onMessage({ message, delivery, format }: EventContext): void {
    try {
      const bytes = message as Buffer;
      if (bytes.length > maxMessageSize) {
        throw new BrokerError(
          'amqp:link:message-size-exceeded',
          `The received message (delivery-id:${delivery.id}, size:${bytes.length} bytes) exceeds the limit ` +
            `(${maxMessageSize} bytes) currently allowed on the link.`,
        );
      }
      const messages = messagesOf(bytes, format).map(parseMessage);
      const fault = this.#context.faults.meet('send', this.path, messages[0]?.sessionId);
      if (fault) this.#enqueueFaulty(messages, delivery, fault);
      else {
        this.#queue.enqueue(messages);
        // Also for pre-settled transfers: only this frees their place in rhea's buffer.
        this.#context.store.afterCommit(() => delivery.accept());
      }
    } catch (error) {
      delivery.reject(describeError(error));
    }
  }

  #enqueueFaulty(messages: readonly ParsedMessage[], delivery: Delivery, fault: ActiveFault<'send'>): void {
    const { store } = this.#context;
    const cut = () => this.#link.connection.socket?.destroy();
    refuseIfAsked(fault);
    if (fault.do === 'cutBefore') return void cut();
    if (fault.do !== 'drop') {
      this.#queue.enqueue(messages, {
        ...(fault.do === 'delay' ? { hideForMs: fault.delayMs } : {}),
        ...(fault.do === 'reorder' ? { hideForMs: fault.delayMs, untilNext: true } : {}),
      });
    }
    if (fault.do === 'duplicate') this.#queue.enqueue(messages, { evenIfRepeated: true });
    store.afterCommit(() => {
      if (fault.do === 'cutAfter') cut();
      else if (fault.do !== 'loseAnswer') delivery.accept();
    });
  }

  close(error: AmqpError): void {
    this.#link.close(error);
  }

  gone(): void {
    this.#queue.removalListeners.delete(this.#onRemoval);
  }
}

function messagesOf(bytes: Buffer, format: number | undefined): Buffer[] {
  if (format === undecodedFormat) return [bytes];
  if (format === batchFormat) return splitBatch(bytes);
  throw invalidArgument(`Messages of format 0x${(format ?? 0).toString(16)} are not known here.`);
}
