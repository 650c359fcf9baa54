import { describe, expect, it } from 'vitest';
import { DomainError } from '../../domain/domainError.ts';
import type { DomainEvent } from '../../domain/envelope.ts';
import type { AppendMetadata, AppendResult, Head } from '../../domain/eventStore.ts';
import { OutcomeUnknown, type StreamFold } from '../../domain/eventStore.ts';
import { type SlotsState, slots, slotsFold } from '../../domain/slots/index.ts';
import { decideAndAppend, StoreBusy, type Surroundings } from '../../functions/streams/decideAndAppend.ts';
import { bySystem } from '../../functions/streams/metadata.ts';
import { MemoryEventStore } from '../support/memoryEventStore.ts';

/** Time that passes only by sleeping, and chance that is always one half. */
const surroundings = (): Surroundings & { readonly slept: number[] } => {
  let elapsed = 0;
  const slept: number[] = [];
  return {
    slept,
    now: () => new Date(Date.parse('2026-01-01T00:00:00.000Z') + elapsed).toISOString(),
    elapsed: () => elapsed,
    random: () => 0.5,
    sleep: (milliseconds) => {
      elapsed += milliseconds;
      slept.push(milliseconds);
      return Promise.resolve();
    },
    passes: () => undefined,
  };
};

const stream = { tenantId: 't', streamId: 'slots-t', fold: slotsFold };
const take = (sessionId: string) => (state: SlotsState, now: string) =>
  slots.decide(
    {
      type: 'TakeSlot',
      sessionId,
      deviceId: `device-of-${sessionId}`,
      userId: sessionId,
      limits: { openSessionsPerTenant: 25, openSessionsPerUser: 10 },
      now,
    },
    state,
  );

/** A store whose appends end as the script says, each once, before they work. */
class ScriptedStore extends MemoryEventStore {
  readonly script: ('conflict' | 'lost-answer' | 'unreached')[];

  constructor(...script: ('conflict' | 'lost-answer' | 'unreached')[]) {
    super();
    this.script = script;
  }

  override async append<State>(
    tenantId: string,
    streamId: string,
    head: Head<State>,
    events: readonly DomainEvent[],
    metadata: AppendMetadata,
    fold: StreamFold<State>,
  ): Promise<AppendResult<State>> {
    const next = this.script.shift();
    if (next === 'conflict') return { ok: false, reason: 'version-conflict' };
    if (next === 'unreached') throw new OutcomeUnknown('slots-t', new Error('cut before'));
    const result = await super.append(tenantId, streamId, head, events, metadata, fold);
    if (next === 'lost-answer') throw new OutcomeUnknown('slots-t', new Error('cut after'));
    return result;
  }
}

describe('deciding and appending', () => {
  it('decides again on the new head after a conflict', async () => {
    const store = new ScriptedStore('conflict', 'conflict');
    const around = surroundings();
    const { events } = await decideAndAppend(
      { store, surroundings: around },
      stream,
      bySystem('test'),
      take('s1'),
    );
    expect(events.map(({ type }) => type)).toEqual(['SlotTaken']);
    expect(around.slept).toHaveLength(2);
  });

  it('does nothing twice when the answer to an append was lost', async () => {
    const store = new ScriptedStore('lost-answer');
    const { events, head } = await decideAndAppend(
      { store, surroundings: surroundings() },
      stream,
      bySystem('test'),
      take('s1'),
    );
    expect(events).toEqual([]);
    expect(head.state.holders['s1']).toMatchObject({ epoch: 1 });
    expect(await store.read('t', 'slots-t', 0, 10)).toHaveLength(1);
  });

  it('appends after all when the first try never arrived', async () => {
    const store = new ScriptedStore('unreached');
    const { events } = await decideAndAppend(
      { store, surroundings: surroundings() },
      stream,
      bySystem('test'),
      take('s1'),
    );
    expect(events).toHaveLength(1);
  });

  it('gives up after five seconds and twenty tries, and says to send the same again', async () => {
    const store = new ScriptedStore(...Array.from({ length: 1_000 }, () => 'conflict' as const));
    const around = surroundings();
    await expect(
      decideAndAppend({ store, surroundings: around }, stream, bySystem('test'), take('s1')),
    ).rejects.toThrow(StoreBusy);
    expect(around.slept.length).toBeGreaterThanOrEqual(20);
    expect(around.elapsed()).toBeGreaterThanOrEqual(5_000);
  });

  it('lets a refusal through at once', async () => {
    const around = surroundings();
    const refuse = (): never => {
      throw new DomainError('DEVICE_SESSION_LIMIT', 'busy');
    };
    await expect(
      decideAndAppend(
        { store: new MemoryEventStore(), surroundings: around },
        stream,
        bySystem('test'),
        refuse,
      ),
    ).rejects.toThrow('busy');
    expect(around.slept).toEqual([]);
  });

  it('uses a head that was just read, once', async () => {
    const store = new MemoryEventStore();
    const head: Head<SlotsState> = await store.head('t', 'slots-t', slotsFold as StreamFold<SlotsState>);
    await decideAndAppend({ store, surroundings: surroundings() }, stream, bySystem('test'), take('s1'));
    const { events } = await decideAndAppend(
      { store, surroundings: surroundings() },
      { ...stream, head },
      bySystem('test'),
      take('s2'),
    );
    // The stale head conflicts; the decision is then taken on the real one.
    expect(events[0]?.version).toBe(2);
    expect(events[0]?.data).toMatchObject({ epoch: 2 });
  });
});
