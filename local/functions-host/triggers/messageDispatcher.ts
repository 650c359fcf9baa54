import type { ServiceBusReceivedMessage, ServiceBusReceiver } from '@azure/service-bus';
import { describe } from '../log.ts';
import type { RegisteredFunction } from '../protocol.ts';
import type { MessageSource } from './messageSource.ts';
import { batchMetadata, batchValue, messageMetadata, messageValue } from './serviceBusMessage.ts';
import type { TriggerContext } from './trigger.ts';

const RETRY_DELAY_MS = 500;
const SHORTEST_RENEWAL_MS = 200;

/** Runs the function for a message or a batch and settles it: complete on success, abandon on failure. */
export class Dispatcher {
  readonly #fn: RegisteredFunction;
  readonly #sourceName: string;
  readonly #autoComplete: boolean;
  readonly #renewForMs: number;
  readonly #context: TriggerContext;
  readonly #running = new Set<Promise<void>>();
  #connectionFailed = false;

  /** `renewForMs` 0 leaves locks alone; a session's lock is the session receiver's matter. */
  constructor(
    fn: RegisteredFunction,
    source: MessageSource,
    behaviour: { autoComplete: boolean; renewForMs: number },
    context: TriggerContext,
  ) {
    this.#fn = fn;
    this.#sourceName = source.name;
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

  /** A list is one invocation and succeeds or fails as a whole. */
  dispatch(
    receiver: ServiceBusReceiver,
    given: ServiceBusReceivedMessage | readonly ServiceBusReceivedMessage[],
  ): Promise<void> {
    const work = this.#run(receiver, given);
    this.#running.add(work);
    return work.finally(() => this.#running.delete(work));
  }

  async idle(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  async #run(
    receiver: ServiceBusReceiver,
    given: ServiceBusReceivedMessage | readonly ServiceBusReceivedMessage[],
  ): Promise<void> {
    this.recovered();
    const { trigger, name } = this.#fn;
    const messages = isBatch(given) ? given : [given];
    const settleAll = (settle: (message: ServiceBusReceivedMessage) => Promise<void>) =>
      Promise.all(
        messages.map((message) =>
          settle(message).catch((refusal: unknown) => this.#settlementFailed(message, refusal)),
        ),
      );
    const stopRenewing = isBatch(given) ? () => undefined : this.#keepLocked(receiver, given);
    try {
      const data = isBatch(given)
        ? batchValue(given, trigger.dataType)
        : messageValue(given, trigger.dataType);
      await this.#context.invoke(this.#fn, {
        inputData: [{ name: trigger.name, data }, ...this.#context.extraInputs(this.#fn)],
        triggerMetadata: isBatch(given) ? batchMetadata(given) : messageMetadata(given),
      });
    } catch (error) {
      const what = isBatch(given)
        ? `a batch of ${given.length} is abandoned`
        : `message ${given.messageId} is abandoned (delivery ${(given.deliveryCount ?? 0) + 1})`;
      this.#context.log.error('host', `${name} failed, ${what}: ${describe(error)}`);
      await settleAll((message) => receiver.abandonMessage(message));
      return;
    } finally {
      stopRenewing();
    }
    if (this.#autoComplete) await settleAll((message) => receiver.completeMessage(message));
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
      `${this.#fn.name}: ${this.#sourceName} cannot be read, trying again every ${RETRY_DELAY_MS} ms: ${describe(error)}`,
    );
  }

  recovered(): void {
    if (!this.#connectionFailed) return;
    this.#connectionFailed = false;
    this.#context.log.info('host', `${this.#fn.name}: ${this.#sourceName} is read again`);
  }
}

const isBatch = (
  given: ServiceBusReceivedMessage | readonly ServiceBusReceivedMessage[],
): given is readonly ServiceBusReceivedMessage[] => Array.isArray(given);
