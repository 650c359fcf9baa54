import { ServiceBusClient } from '@azure/service-bus';
import type { ServiceBusOptions } from '../hostJson.ts';
import type { RegisteredFunction } from '../protocol.ts';
import { expandSettings, resolveConnection } from '../settings.ts';
import { managedIdentity } from './managedIdentity.ts';
import { Dispatcher } from './messageDispatcher.ts';
import { setNoDelayOnClientSockets } from './noDelay.ts';
import { SessionPool } from './sessionPool.ts';
import type { Listener, TriggerContext } from './trigger.ts';

/** The SDK's default of 30 s makes a broker restart look like an outage. */
const RETRY_DELAY_MS = 500;

/**
 * Listens on a queue, with sessions when `isSessionsEnabled`. Keeps reconnecting; a failing connection is logged once.
 * @throws for what this host does not support (topics, batches) and for missing settings.
 */
export function startServiceBusTrigger(
  fn: RegisteredFunction,
  options: ServiceBusOptions,
  context: TriggerContext,
): Listener {
  const where = `Function '${fn.name}'`;
  const { trigger } = fn;
  if (trigger.topicName !== undefined) {
    throw new Error(`${where}: topics are not supported by the local Functions host; use a queue.`);
  }
  if (String(trigger.cardinality ?? 'one').toLowerCase() === 'many') {
    throw new Error(
      `${where}: cardinality 'many' is not supported by the local Functions host; use single dispatch.`,
    );
  }
  if (trigger.sdkBinding === true) {
    throw new Error(`${where}: the SDK binding is not supported by the local Functions host.`);
  }
  if (options.maxConcurrentCallsPerSession !== 1) {
    throw new Error(
      'host.json: extensions.serviceBus.maxConcurrentCallsPerSession other than 1 is not supported by the local Functions host.',
    );
  }
  const queueName = expandSettings(String(trigger.queueName ?? ''), context.settings, `${where}, queueName`);
  if (queueName === '') throw new Error(`${where}: queueName is missing.`);
  const sessions = trigger.isSessionsEnabled === true;
  const client = connect(fn, sessions, context);
  const behaviour = {
    autoComplete: autoCompletes(fn, options),
    renewForMs: sessions ? 0 : options.maxAutoLockRenewalMs,
  };
  const dispatcher = new Dispatcher(fn, queueName, behaviour, context);
  return sessions
    ? new SessionPool(client, queueName, options, dispatcher)
    : new QueueListener(client, queueName, options, dispatcher);
}

/** One client, so one connection, per function: it only receives, which is what the SDK does without delays. */
function connect(fn: RegisteredFunction, sessions: boolean, { settings }: TriggerContext): ServiceBusClient {
  setNoDelayOnClientSockets();
  const name = String(fn.trigger.connection ?? 'AzureWebJobsServiceBus');
  const connection = resolveConnection(settings, name, 'fullyQualifiedNamespace', `Function '${fn.name}'`);
  // Accepting a session has its own loop; retries of the SDK below it would only hide why it fails.
  const retryOptions = sessions
    ? { retryDelayInMs: RETRY_DELAY_MS, maxRetries: 0 }
    : { retryDelayInMs: RETRY_DELAY_MS };
  return connection.kind === 'connectionString'
    ? new ServiceBusClient(connection.value, { retryOptions })
    : new ServiceBusClient(connection.endpoint, managedIdentity(connection.clientId), { retryOptions });
}

const autoCompletes = (fn: RegisteredFunction, options: ServiceBusOptions): boolean =>
  typeof fn.trigger.autoCompleteMessages === 'boolean'
    ? fn.trigger.autoCompleteMessages
    : options.autoCompleteMessages;

class QueueListener implements Listener {
  readonly #client: ServiceBusClient;
  readonly #dispatcher: Dispatcher;
  readonly #subscription: { close(): Promise<void> };

  constructor(
    client: ServiceBusClient,
    queueName: string,
    options: ServiceBusOptions,
    dispatcher: Dispatcher,
  ) {
    this.#client = client;
    this.#dispatcher = dispatcher;
    const receiver = client.createReceiver(queueName, {
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
