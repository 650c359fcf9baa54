import type { ServiceBusReceivedMessage, ServiceBusReceiver } from '@azure/service-bus';
import { describe } from '../log.ts';
import type { RegisteredFunction } from '../protocol.ts';
import { messageMetadata, messageValue } from './serviceBusMessage.ts';
import type { TriggerContext } from './trigger.ts';

const RETRY_DELAY_MS = 500;
const SHORTEST_RENEWAL_MS = 200;

/** Runs the function for a message and settles it: complete on success, abandon on failure. */
export class Dispatcher {
  readonly #fn: RegisteredFunction;
  readonly #queueName: string;
  readonly #autoComplete: boolean;
  readonly #renewForMs: number;
  readonly #context: TriggerContext;
  readonly #running = new Set<Promise<void>>();
  #connectionFailed = false;

  /** `renewForMs` 0 leaves locks alone; a session's lock is the session receiver's matter. */
  constructor(
    fn: RegisteredFunction,
    queueName: string,
    behaviour: { autoComplete: boolean; renewForMs: number },
    context: TriggerContext,
  ) {
    this.#fn = fn;
    this.#queueName = queueName;
    this.#autoComplete = behaviour.autoComplete;
    this.#renewForMs = behaviour.renewForMs;
    this.#context = context;
    if (!behaviour.autoComplete) {
      context.log.warn(
        'host',
        `${fn.name}: autoCompleteMessages is off and nothing can settle a message here; each stays locked until its lock expires and comes back`,
      );
    }
  }

  dispatch(receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage): Promise<void> {
    const work = this.#run(receiver, message);
    this.#running.add(work);
    return work.finally(() => this.#running.delete(work));
  }

  async idle(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  async #run(receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage): Promise<void> {
    this.recovered();
    const { log } = this.#context;
    const stopRenewing = this.#keepLocked(receiver, message);
    try {
      await this.#context.invoke(this.#fn, {
        inputData: [
          { name: this.#fn.trigger.name, data: messageValue(message, this.#fn.trigger.dataType) },
          ...this.#context.extraInputs(this.#fn),
        ],
        triggerMetadata: messageMetadata(message),
      });
    } catch (error) {
      log.error(
        'host',
        `${this.#fn.name} failed, message ${message.messageId} is abandoned (delivery ${(message.deliveryCount ?? 0) + 1}): ${describe(error)}`,
      );
      await receiver
        .abandonMessage(message)
        .catch((refusal: unknown) => this.#settlementFailed(message, refusal));
      return;
    } finally {
      stopRenewing();
    }
    if (!this.#autoComplete) return;
    await receiver
      .completeMessage(message)
      .catch((refusal: unknown) => this.#settlementFailed(message, refusal));
  }

  /**
   * Renews the message's lock until the function has ended or the limit is reached. The SDK's own renewal goes on until
   * the message is settled, which would keep an unsettled one (auto-completion off) locked for minutes.
   */
  #keepLocked(receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage): () => void {
    const limit = Date.now() + this.#renewForMs;
    let timer: NodeJS.Timeout | undefined;
    let ended = false;
    const arm = (lockedUntil: Date | undefined) => {
      if (ended || lockedUntil === undefined || Date.now() >= limit) return;
      timer = setTimeout(renew, Math.max((lockedUntil.getTime() - Date.now()) / 2, SHORTEST_RENEWAL_MS));
    };
    const renew = () => {
      receiver.renewMessageLock(message).then(arm, (error: unknown) => {
        if (!ended)
          this.#context.log.warn(
            'host',
            `${this.#fn.name}: the lock of message ${message.messageId} cannot be renewed: ${describe(error)}`,
          );
      });
    };
    if (this.#renewForMs > 0) arm(message.lockedUntilUtc);
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }

  #settlementFailed(message: ServiceBusReceivedMessage, error: unknown): void {
    this.#context.log.warn(
      'host',
      `${this.#fn.name}: message ${message.messageId} could not be settled and comes back: ${describe(error)}`,
    );
  }

  /** Reports a broken connection once, until {@link recovered}. */
  failing(error: unknown): void {
    if (this.#connectionFailed) return;
    this.#connectionFailed = true;
    this.#context.log.warn(
      'host',
      `${this.#fn.name}: queue '${this.#queueName}' cannot be read, trying again every ${RETRY_DELAY_MS} ms: ${describe(error)}`,
    );
  }

  recovered(): void {
    if (!this.#connectionFailed) return;
    this.#connectionFailed = false;
    this.#context.log.info('host', `${this.#fn.name}: queue '${this.#queueName}' is read again`);
  }
}
