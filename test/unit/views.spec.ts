import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventEnvelope } from '../../domain/envelope.ts';
import type { SessionEvent } from '../../domain/session/index.ts';
import { jobView, sessionView, type View } from '../../domain/views/index.ts';
import { sealEvents, streamSeed } from '../../evidence/hashChain.ts';
import type { Checkpoint, ViewRows } from '../../functions/adapters/viewRows.ts';
import { projectViews } from '../../functions/feed/projectViews.ts';
import type { Services } from '../../functions/services.ts';
import { arbitraryHistory, play } from '../support/arbitrarySessions.ts';

const sealed = (events: readonly SessionEvent[]): readonly EventEnvelope[] =>
  sealEvents('t', 'session-s1', { version: 0, hash: streamSeed('session-s1') }, events, {
    actor: { kind: 'system', id: 'test', name: 'Test' },
    correlationId: 'c',
    causationId: 'c',
    traceparent: null,
    recordedAt: '2026-01-01T00:00:00.000Z',
  });

/** The rows of views in memory, with the same promise as the real ones: a checkpoint that moved meanwhile writes nothing. */
const memory = (events: readonly EventEnvelope[]) => {
  const rows = new Map<string, unknown>();
  const checkpoints = new Map<string, Checkpoint>();
  const key = (view: View<unknown>, id: string) => `${view.name}/${id}`;
  const views = {
    checkpoint: (view: View<unknown>) =>
      Promise.resolve(checkpoints.get(view.name) ?? { version: 0, parked: null, etag: null }),
    row: (view: View<unknown>, _tenant: string, _stream: string, id: string) =>
      Promise.resolve(rows.get(key(view, id))),
    write: (
      view: View<unknown>,
      _tenant: string,
      _stream: string,
      changed: ReadonlyMap<string, unknown>,
      from: Checkpoint,
      to: Checkpoint,
    ) => {
      if ((checkpoints.get(view.name)?.etag ?? null) !== from.etag) return Promise.resolve(false);
      for (const [id, row] of changed) rows.set(key(view, id), row);
      checkpoints.set(view.name, { ...to, etag: String(to.version) });
      return Promise.resolve(true);
    },
  };
  const letters: string[] = [];
  const services = {
    views: views as unknown as ViewRows,
    store: {
      read: (_t: string, _s: string, after: number, limit: number) =>
        Promise.resolve(events.slice(after, after + limit)),
    },
    deadLetters: { record: (id: string) => Promise.resolve(void letters.push(id)) },
    surroundings: { now: () => '2026-01-01T00:00:00.000Z' },
  } as unknown as Services;
  return { rows, letters, checkpoints, views, feed: projectViews(services, [sessionView, jobView] as never) };
};
const context = { error: () => undefined } as never;

describe('views', () => {
  it('give the same rows however the feed is cut, repeated or thinned', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryHistory,
        fc.array(fc.nat(60), { maxLength: 6 }),
        fc.boolean(),
        async ({ events }, cuts, skips) => {
          const envelopes = sealed(events);
          const whole = memory(envelopes);
          await whole.feed([...envelopes], context);
          const cut = memory(envelopes);
          const edges = [
            0,
            ...cuts.map((edge) => Math.min(edge, envelopes.length)).sort((a, b) => a - b),
            envelopes.length,
          ];
          for (let index = 1; index < edges.length; index += 1) {
            const batch = envelopes.slice(edges[index - 1], edges[index]);
            await cut.feed([...batch], context);
            await cut.feed([...batch], context);
          }
          // A batch that begins late makes the consumer read what it missed.
          const late = memory(envelopes);
          await late.feed([...envelopes.slice(skips ? -1 : -2)], context);
          expect(cut.rows).toEqual(whole.rows);
          expect(late.rows).toEqual(whole.rows);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('count what is open and how commands ended', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryHistory, async ({ events, state }) => {
        const envelopes = sealed(events);
        const { rows, feed } = memory(envelopes);
        await feed([...envelopes], context);
        expect(rows.get('sessionView-v1/s1')).toMatchObject({
          openCommands: Object.keys(state.open).length,
          status: state.status,
        });
        for (const [id, closed] of Object.entries(state.closed)) {
          expect(rows.get(`jobView-v1/${id}`)).toMatchObject({ state: closed.split(':')[0] });
        }
      }),
      { numRuns: 150 },
    );
  });

  it('park nothing because the store did not answer', async () => {
    const events = sealed(play([]).events);
    const { checkpoints, letters, feed, views } = memory(events);
    const { row } = views;
    views.row = () => Promise.reject(new TypeError('the connection was cut'));
    await expect(feed([...events], context)).rejects.toThrow('cut');
    expect([letters, checkpoints.size]).toEqual([[], 0]);
    views.row = row;
    await feed([...events], context);
    expect(checkpoints.get('jobView-v1')).toMatchObject({ version: events.length, parked: null });
  });

  it('park one stream at an event they cannot handle, and say so', async () => {
    const broken = sealed([
      { type: 'CommandStarted', data: { commandId: 'never', commandHash: '', deviceTime: '', at: '' } },
    ]);
    const { letters, checkpoints, feed } = memory(broken);
    await feed([...broken], context);
    expect(letters).toEqual(['jobView-v1|session-s1']);
    expect(checkpoints.get('jobView-v1')).toMatchObject({ version: 0, parked: { version: 1 } });
    expect(checkpoints.get('sessionView-v1')).toMatchObject({ version: 1, parked: null });
  });
});
