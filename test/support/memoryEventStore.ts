import { type DomainEvent, type EventEnvelope, partitionOf } from '../../domain/envelope.ts';
import type { AppendMetadata, AppendResult, EventStore, Head, StreamFold } from '../../domain/eventStore.ts';
import { sealEvents, streamSeed } from '../../evidence/hashChain.ts';

/** The event store port in memory, for tests of what stands on it. It passes the same contract suite as the real one. */
export class MemoryEventStore implements EventStore {
  readonly #streams = new Map<string, { readonly events: EventEnvelope[]; recordedAt: string }>();

  head<State>(tenantId: string, streamId: string, fold: StreamFold<State>): Promise<Head<State>> {
    const stream = this.#streams.get(partitionOf(tenantId, streamId));
    const last = stream?.events.at(-1);
    if (stream === undefined || last === undefined) {
      return Promise.resolve({
        version: 0,
        hash: streamSeed(streamId),
        recordedAt: '',
        state: fold.initialState,
        etag: null,
      });
    }
    const state = stream.events.reduce<State>(
      (folded, envelope) => fold.evolve(folded, envelope),
      fold.initialState,
    );
    return Promise.resolve({
      version: last.version,
      hash: last.hash,
      recordedAt: stream.recordedAt,
      state,
      etag: String(last.version),
    });
  }

  async headIfChanged<State>(
    tenantId: string,
    streamId: string,
    fold: StreamFold<State>,
    etag: string | null,
  ): Promise<Head<State> | undefined> {
    const head = await this.head(tenantId, streamId, fold);
    return head.etag === etag && etag !== null ? undefined : head;
  }

  read(tenantId: string, streamId: string, after: number, limit: number): Promise<readonly EventEnvelope[]> {
    const events = this.#streams.get(partitionOf(tenantId, streamId))?.events ?? [];
    return Promise.resolve(structuredClone(events.slice(after, after + limit)));
  }

  async readAbout(tenantId: string, streamId: string, commandId: string): Promise<readonly EventEnvelope[]> {
    const events = await this.read(tenantId, streamId, 0, Number.MAX_SAFE_INTEGER);
    return events.filter(({ data }) => (data as { readonly commandId?: unknown }).commandId === commandId);
  }

  append<State>(
    tenantId: string,
    streamId: string,
    head: Head<State>,
    events: readonly (DomainEvent & { readonly schemaVersion?: number })[],
    { now, ...said }: AppendMetadata,
    fold: StreamFold<State>,
  ): Promise<AppendResult<State>> {
    const pk = partitionOf(tenantId, streamId);
    const stream = this.#streams.get(pk) ?? { events: [], recordedAt: '' };
    if (stream.events.length !== head.version)
      return Promise.resolve({ ok: false, reason: 'version-conflict' });
    const recordedAt = now > head.recordedAt ? now : head.recordedAt;
    const envelopes = sealEvents(tenantId, streamId, head, structuredClone(events), { ...said, recordedAt });
    stream.events.push(...envelopes);
    stream.recordedAt = recordedAt;
    this.#streams.set(pk, stream);
    return this.head(tenantId, streamId, fold).then((next) => ({ ok: true, events: envelopes, head: next }));
  }
}
