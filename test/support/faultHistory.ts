import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CosmosClient, type JSONObject } from '@azure/cosmos';
import { ServiceBusClient } from '@azure/service-bus';
import WebSocket from 'ws';
import { deviceQueueOf, messagesQueue, presenceQueue } from '../../contracts/device.ts';
import type { DomainEvent, EventEnvelope } from '../../domain/envelope.ts';
import { type SlotsEvent, slots } from '../../domain/slots/index.ts';
import { chainFaults } from '../../evidence/hashChain.ts';
import type { Cloud } from '../../local/cloud.ts';

export const endTypes: ReadonlySet<string> = new Set([
  'CommandCompleted',
  'CommandFailed',
  'CommandCancelled',
  'CommandTimedOut',
  'CommandLost',
]);
export const sessionEndTypes: ReadonlySet<string> = new Set([
  'SessionRefused',
  'SessionUnanswered',
  'SessionAbandoned',
  'SessionDisconnected',
  'SessionExpired',
  'SessionLost',
]);

/** What lies in the store for one stream. */
export interface StoredStream {
  readonly streamId: string;
  readonly events: readonly EventEnvelope[];
  readonly head: { readonly version: number; readonly hash: string } | undefined;
}

type Item = JSONObject & Record<string, unknown>;

const storeFields = new Set(['_rid', '_self', '_etag', '_attachments', '_ts', '_lsn', 'ttl']);

/** The store as it is, past the app: nothing here believes what the app says about it. */
export class StoredHistory {
  readonly #client: CosmosClient;

  constructor({ cosmos }: Pick<Cloud, 'cosmos'>) {
    this.#client = new CosmosClient({ endpoint: cosmos.endpoint, key: cosmos.masterKey });
  }

  #container(name: string) {
    return this.#client.database('live-response').container(name);
  }

  /** Every stream, or the one in this partition. */
  async streams(partitionKey?: string): Promise<readonly StoredStream[]> {
    const { resources } = await this.#container('events')
      .items.query<Item>('SELECT * FROM c', partitionKey === undefined ? {} : { partitionKey })
      .fetchAll();
    const partitions = Map.groupBy(resources, ({ pk }) => String(pk));
    return [...partitions].map(([pk, items]) => ({
      streamId: pk.slice(pk.indexOf('|') + 1),
      events: items
        .filter(({ id }) => id !== 'head')
        .map((item) => withoutStoreFields(item) as unknown as EventEnvelope)
        .toSorted((one, other) => one.version - other.version),
      head: items.find(({ id }) => id === 'head') as StoredStream['head'] | undefined,
    }));
  }

  async session(tenantId: string, sessionId: string): Promise<readonly EventEnvelope[]> {
    const [stream] = await this.streams(`${tenantId}|session-${sessionId}`);
    return stream?.events ?? [];
  }

  async deadLetters(): Promise<readonly unknown[]> {
    return (await this.#container('deadletters').items.query('SELECT * FROM c').fetchAll()).resources;
  }

  close(): void {
    this.#client.dispose();
  }
}

const withoutStoreFields = (item: Item): Item =>
  Object.fromEntries(Object.entries(item).filter(([name]) => !storeFields.has(name))) as Item;

/** Broken links in any stream, and heads that do not stand at the end of their stream. */
export const storeFaults = (streams: readonly StoredStream[]): readonly string[] =>
  streams.flatMap(({ streamId, events, head }) => [
    ...chainFaults(streamId, events).map(({ version, fault }) => `${streamId} version ${version} ${fault}`),
    ...(head?.version === events.length && head.hash === events.at(-1)?.hash
      ? []
      : [`${streamId}: its head is at version ${head?.version}, its events end at ${events.length}`]),
  ]);

/** Session ids that hold a slot although their session has ended or was never requested. */
export const leakedSlots = (streams: readonly StoredStream[]): readonly string[] => {
  const ended = new Set(
    streams.flatMap(({ streamId, events }) =>
      events.some(({ type }) => sessionEndTypes.has(type)) ? [streamId.replace('session-', '')] : [],
    ),
  );
  const known = new Set(streams.map(({ streamId }) => streamId));
  return slotHolders(streams).filter(
    (sessionId) => ended.has(sessionId) || !known.has(`session-${sessionId}`),
  );
};

/** Ids of the sessions that hold a slot. */
export const slotHolders = (streams: readonly StoredStream[]): readonly string[] =>
  streams
    .filter(({ streamId }) => streamId.startsWith('slots-'))
    .flatMap(({ events }) =>
      Object.keys(
        events.reduce(
          (state, event) => slots.evolve(state, event as DomainEvent as SlotsEvent),
          slots.initialState,
        ).holders,
      ),
    );

/** What is to be true of every command, whatever died. */
export interface CommandFacts {
  /** Ids of commands that were answered with 202. */
  readonly accepted: Iterable<string>;
  /** Ids of commands that were refused for certain: these must never run. */
  readonly refused?: Iterable<string>;
  /** One entry per run. */
  readonly executions: readonly string[];
  /** Commands that may still be open; of all others an end is demanded. */
  readonly mayBeOpen?: ReadonlySet<string>;
}

export interface CommandFault {
  readonly commandId: string;
  readonly fault: string;
}

/** "Ends in exactly one state; nothing accepted is lost; nothing runs twice", as far as these events show it. */
export const commandFaults = (
  events: readonly EventEnvelope[],
  { accepted, refused = [], executions, mayBeOpen = new Set() }: CommandFacts,
): readonly CommandFault[] => {
  const faults: CommandFault[] = [];
  const count = (commandId: string, matches: (type: string) => boolean): number =>
    events.filter((event) => matches(event.type) && commandOf(event) === commandId).length;
  const runs = (commandId: string): number => executions.filter((id) => id === commandId).length;
  const issuedIds = new Set(events.filter(({ type }) => type === 'CommandIssued').map(commandOf));
  const all = new Set([...accepted, ...[...issuedIds].filter((id) => id !== undefined)]);
  for (const commandId of all) {
    const note = (fault: string): void => void faults.push({ commandId, fault });
    const issued = count(commandId, (type) => type === 'CommandIssued');
    const ends = count(commandId, (type) => endTypes.has(type));
    const starts = count(commandId, (type) => type === 'CommandStarted');
    if (issued === 0) note('was accepted and is not in the history');
    if (issued > 1) note(`was issued ${issued} times`);
    if (ends > 1) note(`ended ${ends} times`);
    if (ends === 0 && !mayBeOpen.has(commandId)) note('has no end');
    if (starts > 1) note(`was started ${starts} times`);
    if (runs(commandId) > 1) note(`ran ${runs(commandId)} times`);
    if (count(commandId, (type) => type === 'CommandCompleted') === 1 && runs(commandId) !== 1)
      note(`is Completed and ran ${runs(commandId)} times`);
    if (starts === 1 && runs(commandId) === 0) note('is said to have started and never ran');
  }
  for (const commandId of refused) {
    if (issuedIds.has(commandId)) faults.push({ commandId, fault: 'was refused and is in the history' });
    if (runs(commandId) > 0) faults.push({ commandId, fault: 'was refused and ran' });
  }
  return faults;
};

export const commandOf = ({ data }: Pick<EventEnvelope, 'data'>): string | undefined =>
  'commandId' in data && typeof data.commandId === 'string' ? data.commandId : undefined;

/** The end of a command as its event names it, such as `Completed`. */
export const endOf = (
  events: readonly Pick<EventEnvelope, 'type' | 'data'>[],
  commandId: string,
): string | undefined =>
  events
    .find((event) => endTypes.has(event.type) && commandOf(event) === commandId)
    ?.type.replace('Command', '');

/** Events, one a line, for people who read a failure. */
export const listed = (events: readonly Pick<EventEnvelope, 'version' | 'type' | 'data' | 'metadata'>[]) =>
  events
    .map(({ version, type, data, metadata }) => {
      const { signed: _, device, ...shown } = data as Record<string, unknown>;
      const sequence = metadata.device === undefined ? '' : ` #${metadata.device.sequence}`;
      const text = JSON.stringify(shown);
      return `  ${String(version).padStart(4)} ${metadata.recordedAt} ${type}${sequence}${device === undefined ? '' : ' (device)'} ${text.length > 300 ? `${text.slice(0, 300)}…` : text}`;
    })
    .join('\n');

/** Says what is wrong with which command, with everything that its session recorded from its issue on. */
export const faultReport = (
  faults: readonly CommandFault[],
  events: readonly EventEnvelope[],
  notes: readonly string[] = [],
): string => {
  const concerned = new Set(faults.map(({ commandId }) => commandId));
  const first = events.findIndex((event) => concerned.has(commandOf(event) ?? ''));
  return [
    ...faults.map(({ commandId, fault }) => `command ${commandId} ${fault}`),
    ...notes,
    'Events of the session from the first of these commands on:',
    listed(events.slice(first === -1 ? Math.max(0, events.length - 40) : first)),
  ].join('\n');
};

/** Throws with the events that show it when a command or the chain of its session is not as promised. */
export const requireSoundSession = (events: readonly EventEnvelope[], facts: CommandFacts): void => {
  const faults = commandFaults(events, facts);
  const broken = chainFaults(events[0]?.streamId ?? '', events).map(
    ({ version, fault }) => `version ${version} ${fault}`,
  );
  if (faults.length + broken.length > 0) throw new Error(faultReport(faults, events, broken));
};

/** Messages in dead-letter queues of the broker, as `queue: reason`. */
export const brokerDeadLetters = async (cloud: Cloud, deviceId: string): Promise<readonly string[]> => {
  const [secrets, ports] = await Promise.all(
    ['secrets.json', 'ports.json'].map(
      async (file) =>
        JSON.parse(await readFile(join(cloud.dataDir, file), 'utf8')) as Record<string, string | number>,
    ),
  );
  const found: string[] = [];
  for (const index of [0, 1]) {
    const client = new ServiceBusClient(
      `Endpoint=sb://localhost:${ports?.[`devices${index}`]}/;SharedAccessKeyName=agents-listen;SharedAccessKey=${secrets?.['listenKey']}${index}`,
      {
        webSocketOptions: { webSocket: WebSocket },
        retryOptions: { maxRetries: 2, retryDelayInMs: 200, timeoutInMs: 5_000 },
      },
    );
    try {
      for (const queue of [messagesQueue, presenceQueue, deviceQueueOf(deviceId)]) {
        const receiver = client.createReceiver(queue, {
          subQueueType: 'deadLetter',
          receiveMode: 'peekLock',
        });
        try {
          for (const { deadLetterReason, messageId } of await receiver.peekMessages(10))
            found.push(`${queue}: ${String(messageId)} ${deadLetterReason ?? ''}`);
        } catch (error) {
          // The queue of the device lies in one of the two namespaces.
          if ((error as { readonly code?: unknown }).code !== 'MessagingEntityNotFound') throw error;
        } finally {
          await receiver.close();
        }
      }
    } finally {
      await client.close();
    }
  }
  return found;
};
