import { setTimeout as pause } from 'node:timers/promises';
import { createSasTokenProvider } from '@azure/core-amqp';
import { AzureNamedKeyCredential } from '@azure/core-auth';
import type { TokenCredential } from '@azure/identity';
import {
  ServiceBusAdministrationClient,
  ServiceBusClient,
  ServiceBusError,
  type ServiceBusSender,
} from '@azure/service-bus';
import WebSocket from 'ws';
import { type DownwardMessage, deviceQueueOf, upwardPath } from '../../contracts/device.ts';
import type { Shard, ShardTable } from '../settings.ts';
import { statusOf } from './statusOf.ts';

/** What a device gets to speak with its namespace. */
export interface DeviceAccess {
  readonly namespace: string;
  readonly queue: string;
  readonly listenToken: string;
  readonly sendToken: string;
  /** UTC ISO 8601. */
  readonly expiresAt: string;
}

interface Connected {
  readonly shard: Shard;
  readonly administration: ServiceBusAdministrationClient;
  line: Line;
}

/** One connection to a namespace, with the senders that use it. */
interface Line {
  readonly client: ServiceBusClient;
  readonly senders: Map<string, ServiceBusSender>;
}

const rememberedSenders = 500;
/** Before the second try. */
const retryPauseMs = 500;

/** The queues of devices: making them, sending to them, and the narrow tokens with which a device reaches its own. */
export class DeviceChannel {
  readonly #table: ShardTable;
  readonly #credential: TokenCredential;
  readonly #namespaces = new Map<string, Connected>();

  constructor(table: ShardTable, shards: readonly Shard[], credential: TokenCredential) {
    this.#table = table;
    this.#credential = credential;
    for (const shard of shards) {
      this.#namespaces.set(shard.connection, {
        shard,
        administration: new ServiceBusAdministrationClient(shard.namespace, credential),
        line: this.#lineTo(shard),
      });
    }
  }

  #lineTo({ namespace }: Shard): Line {
    return {
      // Over WebSocket there is no Nagle delay. Tries again are ours: they are made on another line.
      client: new ServiceBusClient(namespace, this.#credential, {
        webSocketOptions: { webSocket: WebSocket },
        retryOptions: { maxRetries: 0, timeoutInMs: 10_000 },
      }),
      senders: new Map(),
    };
  }

  #of(bucket: number): Connected {
    const row = this.#table.shards.find(({ from, to }) => bucket >= from && bucket <= to);
    const connected = row === undefined ? undefined : this.#namespaces.get(row.connection);
    if (connected === undefined)
      throw new Error(`No shard serves bucket ${bucket}: the shard table has a hole.`);
    return connected;
  }

  /** Makes the device's queue; once is enough, more often is harmless. */
  async createQueue(deviceId: string, bucket: number): Promise<void> {
    const { administration } = this.#of(bucket);
    try {
      await administration.createQueue(deviceQueueOf(deviceId), {
        // An agent journals a command within milliseconds; one that died before that gets it again after the lock.
        lockDuration: 'PT15S',
        maxDeliveryCount: 100,
        defaultMessageTimeToLive: 'PT1H',
        deadLetteringOnMessageExpiration: false,
        requiresDuplicateDetection: true,
        duplicateDetectionHistoryTimeWindow: 'PT1H',
      });
    } catch (error) {
      if (statusOf(error) !== 409) throw error;
    }
  }

  async deleteQueue(deviceId: string, bucket: number): Promise<void> {
    try {
      await this.#of(bucket).administration.deleteQueue(deviceQueueOf(deviceId));
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
    }
  }

  /**
   * Puts a message into the device's queue, with a second try over a new connection. `messageId` makes a repeat within an hour
   * harmless: the broker drops it.
   * @param timeToLive seconds after which an unread message is of no use any more.
   */
  async send(
    deviceId: string,
    bucket: number,
    messageId: string,
    message: DownwardMessage,
    timeToLive: number,
  ): Promise<void> {
    const connected = this.#of(bucket);
    const sendOn = (line: Line) =>
      senderOf(line, deviceQueueOf(deviceId)).sendMessages({
        messageId,
        body: message,
        contentType: 'application/json',
        timeToLive: Math.ceil(timeToLive * 1000),
      });
    const { line } = connected;
    try {
      await sendOn(line);
    } catch (error) {
      // A message that is refused says nothing about the line, which others send on, too.
      if (error instanceof ServiceBusError && (!error.retryable || error.code === 'MessagingEntityNotFound'))
        throw error;
      // A client whose connection dies while it is being made can stay deaf for a minute and more: it is not asked again.
      this.#replace(connected, line);
      await pause(retryPauseMs);
      await sendOn(connected.line);
    }
  }

  /** Once for all who failed on the same line. */
  #replace(connected: Connected, failed: Line): void {
    if (connected.line !== failed) return;
    connected.line = this.#lineTo(connected.shard);
    void failed.client.close().catch(() => undefined);
  }

  /** Tokens for an hour: to listen on this device's queue, and to send to the upward queues. Nothing else. */
  async access(deviceId: string, bucket: number): Promise<DeviceAccess> {
    const { shard } = this.#of(bucket);
    const queue = deviceQueueOf(deviceId);
    const signed = (rule: string, key: string, path: string) =>
      createSasTokenProvider(new AzureNamedKeyCredential(rule, key)).getToken(
        `sb://${shard.namespace}/${path}`,
      );
    const [listen, send] = await Promise.all([
      signed(shard.listenRule, shard.listenKey, queue),
      signed(shard.sendRule, shard.sendKey, upwardPath),
    ]);
    if (listen === null || send === null) throw new Error('The namespace keys gave no token.');
    return {
      namespace: shard.namespace,
      queue,
      listenToken: listen.token,
      sendToken: send.token,
      expiresAt: new Date(Math.min(listen.expiresOnTimestamp, send.expiresOnTimestamp) * 1000).toISOString(),
    };
  }

  /** Throws when a namespace does not answer. */
  async check(): Promise<void> {
    for (const { administration } of this.#namespaces.values())
      await administration.queueExists(`${upwardPath}/presence`);
  }
}

const senderOf = ({ client, senders }: Line, queue: string): ServiceBusSender => {
  const known = senders.get(queue);
  const sender = known === undefined || known.isClosed ? client.createSender(queue) : known;
  // Put in anew, so that the first one is always the one that was not used for longest.
  senders.delete(queue);
  senders.set(queue, sender);
  const [oldest] = senders.keys();
  if (senders.size > rememberedSenders && oldest !== undefined) {
    const idle = senders.get(oldest);
    senders.delete(oldest);
    void idle?.close().catch(() => undefined);
  }
  return sender;
};

/** hash(deviceId) mod 4096. Device ids are uniformly distributed hex, so their first digits are the hash. Fixed for ever. */
export const bucketOf = (deviceId: string): number => Number.parseInt(deviceId.slice(0, 8), 16) % 4096;
