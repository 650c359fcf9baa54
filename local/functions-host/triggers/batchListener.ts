import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver } from '@azure/service-bus';
import { isServiceBusError } from '@azure/service-bus';
import type { ServiceBusOptions } from '../hostJson.ts';
import type { Dispatcher } from './messageDispatcher.ts';
import type { MessageSource } from './messageSource.ts';
import type { Listener } from './trigger.ts';

const RETRY_DELAY_MS = 500;
/** How long one request for messages waits at the broker when there are none. */
const POLL_MS = 60_000;

/**
 * Serves a function with `cardinality: many`, one batch at a time: what is there when the first message arrives, or,
 * with a `minMessageBatchSize`, that many or what came within `maxBatchWaitTime`. With sessions it serves one session
 * after the other, each until nothing arrived for `sessionIdleTimeout`. Locks are not renewed, as on Azure.
 */
export class BatchListener implements Listener {
  readonly #client: ServiceBusClient;
  readonly #source: MessageSource;
  readonly #options: ServiceBusOptions;
  readonly #dispatcher: Dispatcher;
  readonly #abort = new AbortController();
  #collected: { receiver: ServiceBusReceiver; messages: ServiceBusReceivedMessage[] } | undefined;

  constructor(
    client: ServiceBusClient,
    source: MessageSource,
    options: ServiceBusOptions,
    dispatcher: Dispatcher,
    sessions: boolean,
  ) {
    this.#client = client;
    this.#source = source;
    this.#options = options;
    this.#dispatcher = dispatcher;
    void (sessions ? this.#untilStopped(() => this.#serveSession()) : this.#servePlain());
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#dispatcher.idle();
    await this.#handBack();
    // A request for a session is not awaited: the SDK settles it only at its time limit, even on a closed client.
    await this.#client.close();
  }

  async #servePlain(): Promise<void> {
    const receiver = this.#source.receiver(this.#client, {
      maxAutoLockRenewalDurationInMs: 0,
      skipParsingBodyAsJson: true,
    });
    await this.#untilStopped(async () => {
      await this.#serveBatch(receiver, POLL_MS);
    });
  }

  async #serveSession(): Promise<void> {
    const receiver = await this.#source.nextSession(this.#client, {
      maxAutoLockRenewalDurationInMs: 0,
      skipParsingBodyAsJson: true,
      abortSignal: this.#abort.signal,
    });
    try {
      while (await this.#serveBatch(receiver, this.#options.sessionIdleTimeoutMs));
    } finally {
      await receiver.close().catch(() => undefined);
    }
  }

  async #untilStopped(serve: () => Promise<void>): Promise<void> {
    while (!this.#abort.signal.aborted) {
      try {
        await serve();
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        if (isNothingToServe(error)) continue;
        this.#dispatcher.failing(error);
        await delay(RETRY_DELAY_MS, undefined, { signal: this.#abort.signal }).catch(() => undefined);
      }
    }
  }

  /** False when nothing came within `idleMs`. */
  async #serveBatch(receiver: ServiceBusReceiver, idleMs: number): Promise<boolean> {
    const { maxMessageBatchSize, minMessageBatchSize, maxBatchWaitMs } = this.#options;
    const batch = await this.#receive(receiver, maxMessageBatchSize, idleMs);
    this.#dispatcher.recovered();
    if (batch.length === 0) return false;
    this.#collected = { receiver, messages: batch };
    const deadline = performance.now() + maxBatchWaitMs;
    while (batch.length < minMessageBatchSize && performance.now() < deadline) {
      const left = Math.max(1, deadline - performance.now());
      batch.push(...(await this.#receive(receiver, maxMessageBatchSize - batch.length, left)));
    }
    if (this.#abort.signal.aborted) return false;
    this.#collected = undefined;
    await this.#dispatcher.dispatch(receiver, batch);
    return true;
  }

  #receive(receiver: ServiceBusReceiver, most: number, waitMs: number): Promise<ServiceBusReceivedMessage[]> {
    return receiver.receiveMessages(most, { maxWaitTimeInMs: waitMs, abortSignal: this.#abort.signal });
  }

  /** What was being collected goes back now instead of when its locks expire. */
  async #handBack(): Promise<void> {
    if (this.#collected === undefined) return;
    const { receiver, messages } = this.#collected;
    await Promise.allSettled(messages.map((message) => receiver.abandonMessage(message)));
  }
}

/** No session within the time of the request, or the session's lock ended while it was idle. */
const isNothingToServe = (error: unknown): boolean =>
  (isServiceBusError(error) && (error.code === 'ServiceTimeout' || error.code === 'SessionLockLost')) ||
  (error as { code?: string }).code === 'OperationTimeoutError';
