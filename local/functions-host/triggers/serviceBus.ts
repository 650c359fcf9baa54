import type { ServiceBusReceivedMessage, ServiceBusReceiver } from '@azure/service-bus';
import { ServiceBusClient } from '@azure/service-bus';
import type { ServiceBusOptions } from '../hostJson.ts';
import { describe } from '../log.ts';
import type { RegisteredFunction } from '../protocol.ts';
import { expandSettings, resolveConnection } from '../settings.ts';
import { managedIdentity } from './managedIdentity.ts';
import { setNoDelayOnClientSockets } from './noDelay.ts';
import { messageMetadata, messageValue } from './serviceBusMessage.ts';
import { SessionPool } from './sessionPool.ts';
import type { Listener, TriggerContext } from './trigger.ts';

/** The SDK's default of 30 s makes a broker restart look like an outage. */
const RETRY_DELAY_MS = 500;
const SHORTEST_RENEWAL_MS = 200;

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
