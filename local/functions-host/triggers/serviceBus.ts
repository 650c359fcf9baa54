import type { ServiceBusClient } from '@azure/service-bus';
import type { ServiceBusOptions } from '../hostJson.ts';
import type { RegisteredFunction } from '../protocol.ts';
import { connectServiceBus } from '../serviceBusConnection.ts';
import { BatchListener } from './batchListener.ts';
import { Dispatcher } from './messageDispatcher.ts';
import type { MessageSource } from './messageSource.ts';
import { messageSource } from './messageSource.ts';
import { SessionPool } from './sessionPool.ts';
import type { Listener, TriggerContext } from './trigger.ts';

/**
 * Listens on a queue or subscription, with sessions when `isSessionsEnabled`, in batches with `cardinality: many`.
 * Keeps reconnecting; a failing connection is logged once.
 * @throws for what this host does not support (the SDK binding, several calls per session) and for missing settings.
 */
export function startServiceBusTrigger(
  fn: RegisteredFunction,
  options: ServiceBusOptions,
  context: TriggerContext,
): Listener {
  const where = `Function '${fn.name}'`;
  const { trigger } = fn;
  if (trigger.sdkBinding === true) {
    throw new Error(`${where}: the SDK binding is not supported by the local Functions host.`);
  }
  if (options.maxConcurrentCallsPerSession !== 1) {
    throw new Error(
      'host.json: extensions.serviceBus.maxConcurrentCallsPerSession other than 1 is not supported by the local Functions host.',
    );
  }
  const source = messageSource(fn, context.settings);
  const sessions = trigger.isSessionsEnabled === true;
  const client = connect(fn, sessions, context);
  const many = String(trigger.cardinality ?? 'one').toLowerCase() === 'many';
  const behaviour = {
    autoComplete: autoCompletes(fn, options),
    renewForMs: sessions || many ? 0 : options.maxAutoLockRenewalMs,
  };
  const dispatcher = new Dispatcher(fn, source, behaviour, context);
  if (many) return new BatchListener(client, source, options, dispatcher, sessions);
  return sessions
    ? new SessionPool(client, source, options, dispatcher)
    : new MessageListener(client, source, options, dispatcher);
}

/** One client, so one connection, per function: it only receives, which is what the SDK does without delays. */
function connect(fn: RegisteredFunction, sessions: boolean, { settings }: TriggerContext): ServiceBusClient {
  // Accepting a session has its own loop; retries of the SDK below it would only hide why it fails.
  return connectServiceBus(fn.trigger, settings, `Function '${fn.name}'`, sessions ? 0 : undefined);
}

const autoCompletes = (fn: RegisteredFunction, options: ServiceBusOptions): boolean =>
  typeof fn.trigger.autoCompleteMessages === 'boolean'
    ? fn.trigger.autoCompleteMessages
    : options.autoCompleteMessages;

class MessageListener implements Listener {
  readonly #client: ServiceBusClient;
  readonly #dispatcher: Dispatcher;
  readonly #subscription: { close(): Promise<void> };

  constructor(
    client: ServiceBusClient,
    source: MessageSource,
    options: ServiceBusOptions,
    dispatcher: Dispatcher,
  ) {
    this.#client = client;
    this.#dispatcher = dispatcher;
    const receiver = source.receiver(client, {
      maxAutoLockRenewalDurationInMs: 0, // the dispatcher renews
      skipParsingBodyAsJson: true,
    });
    this.#subscription = receiver.subscribe(
      {
        processMessage: (message) => dispatcher.dispatch(receiver, message),
        processError: async ({ error }) => dispatcher.failing(error),
      },
      { autoCompleteMessages: false, maxConcurrentCalls: options.maxConcurrentCalls },
    );
  }

  async stop(): Promise<void> {
    await this.#subscription.close();
    await this.#dispatcher.idle();
    await this.#client.close();
  }
}
