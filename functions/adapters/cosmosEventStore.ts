import type { Container, JSONObject, OperationInput } from '@azure/cosmos';
import { type DomainEvent, type EventEnvelope, eventIdOf, partitionOf } from '../../domain/envelope.ts';
import {
  type AppendMetadata,
  type AppendResult,
  type EventStore,
  type Head,
  limitsOfOneAppend,
  OutcomeUnknown,
  type StreamFold,
} from '../../domain/eventStore.ts';
import { sealEvents, streamSeed } from '../../evidence/hashChain.ts';

const headId = 'head';
const fewEvents = 8;

interface HeadItem {
  readonly id: typeof headId;
  readonly pk: string;
  readonly version: number;
  readonly hash: string;
  readonly recordedAt: string;
  readonly foldVersion: number;
  readonly state: unknown;
}

/** One item per event and one head per stream, written together: a stream is one logical partition. */
export class CosmosEventStore implements EventStore {
  readonly #events: Container;

  constructor(events: Container) {
    this.#events = events;
  }

  async head<State>(tenantId: string, streamId: string, fold: StreamFold<State>): Promise<Head<State>> {
    const head = await this.headIfChanged(tenantId, streamId, fold, null);
    return head ?? noHead(streamId, fold);
  }

  async headIfChanged<State>(
    tenantId: string,
    streamId: string,
    fold: StreamFold<State>,
    etag: string | null,
  ): Promise<Head<State> | undefined> {
    const pk = partitionOf(tenantId, streamId);
    const options = etag === null ? {} : { accessCondition: { type: 'IfNoneMatch', condition: etag } };
    const response = await this.#events.item(headId, pk).read<HeadItem>(options);
    if (response.statusCode === 304) return undefined;
    const item = response.resource;
    // A missing item is an answer, not an exception.
    if (item === undefined) return etag === null ? noHead(streamId, fold) : undefined;
    const state =
      item.foldVersion === fold.foldVersion
        ? (item.state as State)
        : await this.#foldAnew(tenantId, streamId, fold, item.version);
    return {
      version: item.version,
      hash: item.hash,
      recordedAt: item.recordedAt,
      state,
      etag: response.etag,
    };
  }

  async #foldAnew<State>(
    tenantId: string,
    streamId: string,
    fold: StreamFold<State>,
    version: number,
  ): Promise<State> {
    let state = fold.initialState;
    for (let after = 0; after < version;) {
      const page = await this.read(tenantId, streamId, after, 500);
      if (page.length === 0) throw new Error(`${streamId} lacks the events after version ${after}.`);
      for (const envelope of page) {
        if (envelope.version <= version) state = fold.evolve(state, envelope);
        after = envelope.version;
      }
    }
    return state;
  }

  async read(
    tenantId: string,
    streamId: string,
    after: number,
    limit: number,
  ): Promise<readonly EventEnvelope[]> {
    if (limit <= fewEvents) return this.#readFew(tenantId, streamId, after, limit);
    const { resources } = await this.#events.items
      .query<EventEnvelope & JSONObject>(
        {
          query:
            'SELECT TOP @limit * FROM c WHERE c.version > @after AND c.id != @head ORDER BY c.version ASC',
          parameters: [
            { name: '@limit', value: limit },
            { name: '@after', value: after },
            { name: '@head', value: headId },
          ],
        },
        { partitionKey: partitionOf(tenantId, streamId), maxItemCount: limit },
      )
      .fetchAll();
    return resources.map(withoutStoreFields);
  }

  /** Ids are known beforehand, and a point read costs a third of a query, which always asks for a plan as well. */
  async #readFew(
    tenantId: string,
    streamId: string,
    after: number,
    limit: number,
  ): Promise<readonly EventEnvelope[]> {
    const pk = partitionOf(tenantId, streamId);
    const responses = await Promise.all(
      Array.from({ length: limit }, (_, index) =>
        this.#events.item(eventIdOf(after + 1 + index), pk).read<EventEnvelope & JSONObject>(),
      ),
    );
    const envelopes: EventEnvelope[] = [];
    for (const { resource } of responses) {
      if (resource === undefined) break;
      envelopes.push(withoutStoreFields(resource));
    }
    return envelopes;
  }

  async readAbout(tenantId: string, streamId: string, commandId: string): Promise<readonly EventEnvelope[]> {
    const { resources } = await this.#events.items
      .query<EventEnvelope & JSONObject>(
        {
          query: 'SELECT * FROM c WHERE c.data.commandId = @commandId ORDER BY c.version ASC',
          parameters: [{ name: '@commandId', value: commandId }],
        },
        { partitionKey: partitionOf(tenantId, streamId) },
      )
      .fetchAll();
    return resources.map(withoutStoreFields);
  }

  async append<State>(
    tenantId: string,
    streamId: string,
    head: Head<State>,
    events: readonly (DomainEvent & { readonly schemaVersion?: number })[],
    metadata: AppendMetadata,
    fold: StreamFold<State>,
  ): Promise<AppendResult<State>> {
    const { now, ...said } = metadata;
    const recordedAt = now > head.recordedAt ? now : head.recordedAt;
    const envelopes = sealEvents(tenantId, streamId, head, events, { ...said, recordedAt });
    const last = envelopes.at(-1);
    if (last === undefined) throw new Error('There is nothing to append.');
    const state = envelopes.reduce<State>((folded, envelope) => fold.evolve(folded, envelope), head.state);
    const item: HeadItem = {
      id: headId,
      pk: last.pk,
      version: last.version,
      hash: last.hash,
      recordedAt,
      foldVersion: fold.foldVersion,
      state,
    };
    refuseOversize(streamId, envelopes, item);
    const operations: OperationInput[] = [
      ...envelopes.map((envelope) => ({
        operationType: 'Create' as const,
        resourceBody: envelope as unknown as JSONObject,
      })),
      head.etag === null
        ? { operationType: 'Create' as const, resourceBody: item as unknown as JSONObject }
        : {
            operationType: 'Replace' as const,
            id: headId,
            ifMatch: head.etag,
            resourceBody: item as unknown as JSONObject,
          },
    ];
    const etag = await this.#batch(streamId, last.pk, operations);
    if (etag === undefined) return { ok: false, reason: 'version-conflict' };
    return {
      ok: true,
      events: envelopes,
      head: { version: last.version, hash: last.hash, recordedAt, state, etag },
    };
  }

  /** The head's new etag; undefined for a conflict. A failed batch does not throw: it answers 207 with a status per operation. */
  async #batch(streamId: string, pk: string, operations: OperationInput[]): Promise<string | undefined> {
    let response: Awaited<ReturnType<Container['items']['batch']>>;
    try {
      response = await this.#events.items.batch(operations, pk);
    } catch (error) {
      throw new OutcomeUnknown(streamId, error);
    }
    const results = response.result ?? [];
    const failed = results.find(({ statusCode }) => statusCode >= 400 && statusCode !== 424);
    if (failed?.statusCode === 409 || failed?.statusCode === 412) return undefined;
    const etag = results.at(-1)?.eTag;
    if (failed !== undefined || results.length !== operations.length || etag === undefined) {
      throw new OutcomeUnknown(streamId, new Error(`batch status ${failed?.statusCode ?? response.code}`));
    }
    return etag;
  }
}

const noHead = <State>(streamId: string, fold: StreamFold<State>): Head<State> => ({
  version: 0,
  hash: streamSeed(streamId),
  recordedAt: '',
  state: fold.initialState,
  etag: null,
});

const refuseOversize = (streamId: string, envelopes: readonly EventEnvelope[], head: HeadItem): void => {
  const headBytes = Buffer.byteLength(JSON.stringify(head));
  const bytes =
    headBytes + envelopes.reduce((sum, envelope) => sum + Buffer.byteLength(JSON.stringify(envelope)), 0);
  if (
    envelopes.length > limitsOfOneAppend.events ||
    bytes > limitsOfOneAppend.bytes ||
    headBytes > limitsOfOneAppend.headBytes
  ) {
    throw new Error(
      `${streamId}: an append of ${envelopes.length} events, ${bytes} bytes, head ${headBytes} bytes is over the limits.`,
    );
  }
};

/** What the database adds to an item is not part of the event. */
export const withoutStoreFields = ({
  _rid,
  _self,
  _etag,
  _attachments,
  _ts,
  _lsn,
  ...envelope
}: EventEnvelope & JSONObject): EventEnvelope => envelope as unknown as EventEnvelope;

export const isEvent = (item: { readonly id?: unknown }): boolean => item.id !== headId;
