import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceBusClient, ServiceBusSessionReceiver } from '@azure/service-bus';
import { isServiceBusError } from '@azure/service-bus';
import type { ServiceBusOptions } from '../hostJson.ts';
import type { Dispatcher } from './messageDispatcher.ts';
import type { MessageSource } from './messageSource.ts';
import type { Listener } from './trigger.ts';

/**
 * Requests for "the next session" that wait at the broker at once. Each is a link that costs the broker something, so
 * only a few wait however many sessions may be served.
 */
const PENDING_ACCEPTS = 4;
const RETRY_DELAY_MS = 500;

/** Serves up to `maxConcurrentSessions` sessions; each is kept until nothing arrived for `sessionIdleTimeout`. */
export class SessionPool implements Listener {
  readonly #client: ServiceBusClient;
  readonly #source: MessageSource;
  readonly #options: ServiceBusOptions;
  readonly #dispatcher: Dispatcher;
  readonly #served = new Set<ServedSession>();
  readonly #abort = new AbortController();
  readonly #accepts = new Set<Promise<void>>();

  constructor(
    client: ServiceBusClient,
    source: MessageSource,
    options: ServiceBusOptions,
    dispatcher: Dispatcher,
  ) {
    this.#client = client;
    this.#source = source;
    this.#options = options;
    this.#dispatcher = dispatcher;
    this.#fill();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await Promise.all([...this.#served].map((session) => session.close()));
    await this.#dispatcher.idle();
    // Requests still waiting are not awaited: the SDK settles them only at their time limit, even on a closed client.
    await this.#client.close();
  }

  #fill(): void {
    if (this.#abort.signal.aborted) return;
    const free = this.#options.maxConcurrentSessions - this.#served.size;
    while (this.#accepts.size < Math.min(PENDING_ACCEPTS, free)) {
      const accept: Promise<void> = this.#acceptNext().finally(() => {
        this.#accepts.delete(accept);
        this.#fill();
      });
      this.#accepts.add(accept);
    }
  }

  async #acceptNext(): Promise<void> {
    try {
      const receiver = await this.#source.nextSession(this.#client, {
        maxAutoLockRenewalDurationInMs: this.#options.maxAutoLockRenewalMs,
        skipParsingBodyAsJson: true,
        abortSignal: this.#abort.signal,
      });
      this.#dispatcher.recovered();
      if (this.#abort.signal.aborted) return await receiver.close();
      this.#serve(receiver);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      if (isNothingWaiting(error)) {
        this.#dispatcher.recovered();
        return;
      }
      this.#dispatcher.failing(error);
      await delay(RETRY_DELAY_MS, undefined, { signal: this.#abort.signal }).catch(() => undefined);
    }
  }

  #serve(receiver: ServiceBusSessionReceiver): void {
    const session = new ServedSession(receiver, this.#options.sessionIdleTimeoutMs, this.#dispatcher);
    this.#served.add(session);
    void session.ended.then(() => {
      this.#served.delete(session);
      this.#fill();
    });
  }
}

/** The broker had no session within the time of the request. */
const isNothingWaiting = (error: unknown): boolean =>
  (isServiceBusError(error) && error.code === 'ServiceTimeout') ||
  (error as { code?: string }).code === 'OperationTimeoutError';

class ServedSession {
  readonly ended: Promise<void>;
  readonly #receiver: ServiceBusSessionReceiver;
  readonly #idle: NodeJS.Timeout;
  #closing: Promise<void> | undefined;
  #running: Promise<void> | undefined;
  #end: () => void = () => undefined;

  constructor(receiver: ServiceBusSessionReceiver, idleTimeoutMs: number, dispatcher: Dispatcher) {
    this.#receiver = receiver;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#idle = setTimeout(() => {
      if (this.#running === undefined) void this.close();
      else this.#idle.refresh();
    }, idleTimeoutMs);
    receiver.subscribe(
      {
        processMessage: async (message) => {
          if (this.#closing !== undefined) return; // the closing session frees it, delivery count unchanged
          this.#running = dispatcher.dispatch(receiver, message);
          await this.#running;
          this.#running = undefined;
          this.#idle.refresh();
        },
        // A session receiver never recovers: give the session back and accept anew.
        processError: async () => void this.close(),
      },
      { autoCompleteMessages: false, maxConcurrentCalls: 1 },
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#running; // closing earlier would take the lock from under the settlement
    await this.#receiver.close().catch(() => undefined);
    this.#end();
  }
}
