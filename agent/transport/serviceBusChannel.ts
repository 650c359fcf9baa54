import { setTimeout as pause } from 'node:timers/promises';
import { AzureSASCredential } from '@azure/core-auth';
import {
  isServiceBusError,
  type ProcessErrorArgs,
  ServiceBusClient,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
  type ServiceBusSender,
} from '@azure/service-bus';
import WebSocket from 'ws';
import type { DeviceTokenResponse, UpwardMessage } from '../../contracts/device.ts';
import { log, logDetail, reasonOf } from '../log.ts';
import { BackendRefusal } from './backend.ts';
import type { Channel, Delivery, UpwardQueue } from './channel.ts';

const firstWaitMs = 250;
const longestWaitMs = 20_000;
/** A backend that refuses this device is asked less often. */
const refusedWaitMs = 120_000;
const probeTimeoutMs = 10_000;
const quietMs = 3_600_000;
const sendTimeoutMs = 15_000;

interface Connection {
  readonly token: DeviceTokenResponse;
  readonly listenCredential: AzureSASCredential;
  readonly sendCredential: AzureSASCredential;
  readonly clients: readonly ServiceBusClient[];
  readonly receiver: ServiceBusReceiver;
  readonly senders: Readonly<Record<UpwardQueue, ServiceBusSender>>;
}

/**
 * Service Bus over WebSocket. Two clients, because a client takes one credential and listening and sending need a token each.
 * When anything about a connection is in doubt it is thrown away and opened anew: duplicates do no harm, silence does.
 */
export class ServiceBusChannel implements Channel {
  readonly #getToken: () => Promise<DeviceTokenResponse>;
  readonly #listeners: (() => void)[] = [];
  readonly #closing = new AbortController();
  #connection: Connection | undefined;
  #renewal: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #heartbeatEvery = 900;
  #lastLogged: { readonly text: string; readonly at: number } | undefined;

  constructor(getToken: () => Promise<DeviceTokenResponse>) {
    this.#getToken = getToken;
  }

  get heartbeatEvery(): number {
    return this.#heartbeatEvery;
  }

  onConnected(listener: () => void): void {
    this.#listeners.push(listener);
  }

  start(handler: (delivery: Delivery) => Promise<void>): void {
    this.#running ??= this.#stayConnected(handler);
  }

  async send(queue: UpwardQueue, message: UpwardMessage): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) throw new Error('There is no connection.');
    try {
      await connection.senders[queue].sendMessages(
        {
          messageId: message.messageId,
          body: message,
          contentType: 'application/json',
          ...(queue === 'messages' && message.sessionId !== null ? { sessionId: message.sessionId } : {}),
        },
        { abortSignal: AbortSignal.timeout(sendTimeoutMs) },
      );
    } catch (error) {
      this.#distrust(connection, `sending failed: ${reasonOf(error)}`);
      throw error;
    }
  }

  async probe(): Promise<boolean> {
    const connection = this.#connection;
    if (connection === undefined) return false;
    try {
      // Travels on the connection that listens, needs no other right, and takes nothing off the queue.
      await connection.receiver.peekMessages(1, { abortSignal: AbortSignal.timeout(probeTimeoutMs) });
      logDetail('the receiver answers');
      return true;
    } catch (error) {
      this.#distrust(connection, `the receiver does not answer: ${reasonOf(error)}`);
      return false;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake?.();
    await this.#running;
  }

  async #stayConnected(handler: (delivery: Delivery) => Promise<void>): Promise<void> {
    let wait = firstWaitMs;
    while (!this.#closing.signal.aborted) {
      let connection: Connection | undefined;
      try {
        const broken = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        connection = await this.#connect();
        this.#connection = connection;
        this.#receive(connection, handler);
        const connectedAt = performance.now();
        this.#scheduleRenewal(connection);
        logDetail(`connected to ${connection.token.namespace}, queue ${connection.token.queue}`);
        for (const listener of this.#listeners) listener();
        if (!this.#closing.signal.aborted) await broken;
        // A connection that held for a while was a good one: the next attempt need not wait long.
        if (performance.now() - connectedAt > 30_000) wait = firstWaitMs;
      } catch (error) {
        this.#logOnce(`no connection: ${reasonOf(error)}`);
        if (error instanceof BackendRefusal && error.status < 500) wait = Math.max(wait, refusedWaitMs / 4);
      }
      clearTimeout(this.#renewal);
      this.#connection = undefined;
      if (connection !== undefined) await closeQuietly(connection);
      if (this.#closing.signal.aborted) return;
      await pause(wait * (0.5 + Math.random()), undefined, { signal: this.#closing.signal }).catch(
        () => undefined,
      );
      wait = Math.min(wait * 2, longestWaitMs);
    }
  }

  /** A device may be offline for weeks: the same reason is not worth a line a minute. */
  #logOnce(text: string): void {
    const now = performance.now();
    if (text === this.#lastLogged?.text && now - this.#lastLogged.at < quietMs) return;
    this.#lastLogged = { text, at: now };
    log(text);
  }

  async #connect(): Promise<Connection> {
    const token = await this.#getToken();
    this.#heartbeatEvery = token.heartbeatEvery;
    const listenCredential = new AzureSASCredential(token.listenToken);
    const sendCredential = new AzureSASCredential(token.sendToken);
    const options = {
      webSocketOptions: { webSocket: WebSocket },
      // The default pause between tries is 30 s.
      retryOptions: { maxRetries: 2, retryDelayInMs: 500, timeoutInMs: 10_000 },
    };
    const listening = new ServiceBusClient(token.namespace, listenCredential, options);
    const sending = new ServiceBusClient(token.namespace, sendCredential, options);
    const connection: Connection = {
      token,
      listenCredential,
      sendCredential,
      clients: [listening, sending],
      // Everything is handled well within the lock. What is not completed is to come again soon, and a lock that is renewed
      // would keep it away for minutes.
      receiver: listening.createReceiver(token.queue, {
        receiveMode: 'peekLock',
        maxAutoLockRenewalDurationInMs: 0,
      }),
      senders: {
        presence: sending.createSender(token.presenceQueue),
        messages: sending.createSender(token.messagesQueue),
      },
    };
    try {
      // Subscribing does not say whether it worked; this does.
      await connection.receiver.peekMessages(1, { abortSignal: AbortSignal.timeout(probeTimeoutMs) });
    } catch (error) {
      await closeQuietly(connection);
      throw error;
    }
    return connection;
  }

  #receive(connection: Connection, handler: (delivery: Delivery) => Promise<void>): void {
    connection.receiver.subscribe(
      {
        processMessage: (message) => handler(deliveryOf(message, connection.receiver)),
        processError: async (args) => {
          this.#noteReceiverError(connection, args);
        },
      },
      { autoCompleteMessages: false, maxConcurrentCalls: 1 },
    );
  }

  #noteReceiverError(connection: Connection, { error, errorSource }: ProcessErrorArgs): void {
    if (errorSource === 'processMessageCallback') log(`a message was not handled: ${reasonOf(error)}`);
    else if (isServiceBusError(error) && error.code === 'MessageLockLost')
      log('a message comes again: its lock was lost');
    else this.#distrust(connection, `receiving failed: ${reasonOf(error)}`);
  }

  #distrust(connection: Connection, reason: string): void {
    if (this.#connection !== connection) return;
    log(`connecting anew: ${reason}`);
    this.#connection = undefined;
    this.#wake?.();
  }

  #scheduleRenewal(connection: Connection): void {
    this.#renewal = setTimeout(() => void this.#renew(connection), connection.token.renewAfter * 1000);
  }

  async #renew(connection: Connection): Promise<void> {
    if (this.#connection !== connection) return;
    try {
      const token = await this.#getToken();
      this.#heartbeatEvery = token.heartbeatEvery;
      if (token.namespace !== connection.token.namespace || token.queue !== connection.token.queue) {
        this.#distrust(connection, 'another namespace serves this device now');
        return;
      }
      connection.listenCredential.update(token.listenToken);
      connection.sendCredential.update(token.sendToken);
      logDetail(`access renewed until ${token.expiresAt}`);
      this.#renewal = setTimeout(() => void this.#renew(connection), token.renewAfter * 1000);
    } catch (error) {
      log(`the access token was not renewed: ${reasonOf(error)}`);
      this.#renewal = setTimeout(
        () => void this.#renew(connection),
        Math.min(60, connection.token.renewAfter) * 1000,
      );
    }
  }
}

const deliveryOf = (message: ServiceBusReceivedMessage, receiver: ServiceBusReceiver): Delivery => ({
  body: message.body,
  timeToLive: message.timeToLive === undefined ? null : message.timeToLive / 1000,
  complete: async () => {
    try {
      await receiver.completeMessage(message);
    } catch (error) {
      log(`a message was handled and comes again: ${reasonOf(error)}`);
    }
  },
});

const closeQuietly = async (connection: Connection): Promise<void> => {
  // A dead peer never answers to a close.
  await Promise.race([
    Promise.allSettled(connection.clients.map((client) => client.close())),
    pause(2_000, undefined, { ref: false }),
  ]);
};
