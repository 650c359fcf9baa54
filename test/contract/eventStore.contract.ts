import { describe, expect, it } from 'vitest';
import type { DomainEvent } from '../../domain/envelope.ts';
import type { AppendMetadata, EventStore, StreamFold } from '../../domain/eventStore.ts';
import { chainFaults } from '../../evidence/hashChain.ts';

interface Count {
  readonly count: number;
}
const countFold = (foldVersion = 1): StreamFold<Count> => ({
  foldVersion,
  initialState: { count: 0 },
  evolve: (state) => ({ count: state.count + 1 }),
});
const fold = countFold();
const happened = (what: string): DomainEvent => ({ type: 'Happened', data: { what } });
const metadata = (now: string): AppendMetadata => ({
  actor: { kind: 'system', id: 'test', name: 'Test' },
  correlationId: 'c',
  causationId: 'c',
  traceparent: null,
  now,
});
const now = '2026-01-01T00:00:00.000Z';
let streams = 0;
const freshStream = () => `session-${process.pid}-${Date.now()}-${streams++}`;

/** What every event store does. Given a way to reach one, it runs the same on each. */
export const eventStoreContract = (name: string, open: () => EventStore): void => {
  describe(`event store: ${name}`, () => {
    it('begins with nothing and keeps what is appended, in order', async () => {
      const store = open();
      const stream = freshStream();
      const head = await store.head('t', stream, fold);
      expect(head).toMatchObject({ version: 0, state: { count: 0 }, etag: null });
      const first = await store.append(
        't',
        stream,
        head,
        [happened('a'), happened('b')],
        metadata(now),
        fold,
      );
      expect(first).toMatchObject({ ok: true, head: { version: 2, state: { count: 2 } } });
      if (!first.ok) throw new Error('unreachable');
      await store.append('t', stream, first.head, [happened('c')], metadata(now), fold);
      const events = await store.read('t', stream, 0, 10);
      expect(events.map(({ version, data }) => [version, (data as { what: string }).what])).toEqual([
        [1, 'a'],
        [2, 'b'],
        [3, 'c'],
      ]);
      expect(chainFaults(stream, events)).toEqual([]);
      expect((await store.read('t', stream, 1, 1)).map(({ version }) => version)).toEqual([2]);
      expect(await store.head('t', stream, fold)).toMatchObject({
        version: 3,
        hash: events.at(-1)?.hash,
        state: { count: 3 },
      });
    });

    it('lets one of two racing writers win', async () => {
      const store = open();
      const stream = freshStream();
      const head = await store.head('t', stream, fold);
      const results = await Promise.all(
        Array.from({ length: 8 }, (_, writer) =>
          store.append('t', stream, head, [happened(String(writer))], metadata(now), fold),
        ),
      );
      expect(results.filter(({ ok }) => ok)).toHaveLength(1);
      expect(await store.read('t', stream, 0, 10)).toHaveLength(1);
      const next = await store.head('t', stream, fold);
      const again = await Promise.all(
        ['x', 'y'].map((what) => store.append('t', stream, next, [happened(what)], metadata(now), fold)),
      );
      expect(again.filter(({ ok }) => ok)).toHaveLength(1);
    });

    it('refuses a stale head and one from the future', async () => {
      const store = open();
      const stream = freshStream();
      const empty = await store.head('t', stream, fold);
      const first = await store.append('t', stream, empty, [happened('a')], metadata(now), fold);
      if (!first.ok) throw new Error('unreachable');
      expect(await store.append('t', stream, empty, [happened('b')], metadata(now), fold)).toMatchObject({
        ok: false,
      });
      const ahead = { ...first.head, version: 5, etag: '"none"' };
      expect(await store.append('t', stream, ahead, [happened('b')], metadata(now), fold)).toMatchObject({
        ok: false,
      });
      expect(await store.read('t', stream, 0, 10)).toHaveLength(1);
    });

    it('keeps tenants apart', async () => {
      const store = open();
      const stream = freshStream();
      await store.append(
        't1',
        stream,
        await store.head('t1', stream, fold),
        [happened('a')],
        metadata(now),
        fold,
      );
      expect((await store.head('t2', stream, fold)).version).toBe(0);
      expect(await store.read('t2', stream, 0, 10)).toEqual([]);
    });

    it('never lets the times of a stream run backwards', async () => {
      const store = open();
      const stream = freshStream();
      const first = await store.append(
        't',
        stream,
        await store.head('t', stream, fold),
        [happened('a')],
        metadata(now),
        fold,
      );
      if (!first.ok) throw new Error('unreachable');
      const second = await store.append(
        't',
        stream,
        first.head,
        [happened('b')],
        metadata('2025-01-01T00:00:00.000Z'),
        fold,
      );
      if (!second.ok) throw new Error('unreachable');
      expect(second.events[0]?.metadata.recordedAt).toBe(now);
    });

    it('reads few and many alike, and what is about one command', async () => {
      const store = open();
      const stream = freshStream();
      const about = (commandId: string): DomainEvent => ({ type: 'Happened', data: { commandId } });
      const events = Array.from({ length: 30 }, (_, index) => about(`c${index % 3}`));
      await store.append('t', stream, await store.head('t', stream, fold), events, metadata(now), fold);
      for (const [after, limit] of [
        [0, 3],
        [0, 30],
        [27, 8],
        [27, 50],
        [30, 5],
        [30, 50],
      ] as const) {
        const versions = (await store.read('t', stream, after, limit)).map(({ version }) => version);
        expect(versions).toEqual(
          Array.from({ length: Math.min(limit, 30 - after) }, (_, index) => after + 1 + index),
        );
      }
      const found = await store.readAbout('t', stream, 'c1');
      expect(found.map(({ version }) => version)).toEqual([2, 5, 8, 11, 14, 17, 20, 23, 26, 29]);
      expect(await store.readAbout('t', stream, 'none')).toEqual([]);
    });

    it('says whether a head moved', async () => {
      const store = open();
      const stream = freshStream();
      const first = await store.append(
        't',
        stream,
        await store.head('t', stream, fold),
        [happened('a')],
        metadata(now),
        fold,
      );
      if (!first.ok) throw new Error('unreachable');
      expect(await store.headIfChanged('t', stream, fold, first.head.etag)).toBeUndefined();
      await store.append('t', stream, first.head, [happened('b')], metadata(now), fold);
      expect(await store.headIfChanged('t', stream, fold, first.head.etag)).toMatchObject({ version: 2 });
    });

    it('folds a head anew when the shape of its state changed', async () => {
      const store = open();
      const stream = freshStream();
      await store.append(
        't',
        stream,
        await store.head('t', stream, fold),
        [happened('a'), happened('b')],
        metadata(now),
        fold,
      );
      const doubled: StreamFold<Count> = { ...countFold(2), evolve: (state) => ({ count: state.count + 2 }) };
      expect((await store.head('t', stream, doubled)).state).toEqual({ count: 4 });
    });
  });
};
