import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fold } from '../../domain/decider.ts';
import { dueDecisions, isSettled, openCommands, session } from '../../domain/session/index.ts';
import { arbitraryCommand, arbitraryHistory } from '../support/arbitrarySessions.ts';
import { refusalOf } from '../support/given.ts';
import { at } from '../support/sessions.ts';

const ends = ['CommandCompleted', 'CommandFailed', 'CommandCancelled', 'CommandTimedOut', 'CommandLost'];

it('yields nothing or a refusal for a command that was accepted before', () => {
  fc.assert(
    fc.property(arbitraryHistory, arbitraryCommand, ({ state }, wish) => {
      let after = state;
      if (refusalOf(() => session.decide(wish, state)) !== undefined) return;
      after = fold(session, session.decide(wish, state), state);
      let again: readonly unknown[] = [];
      if (refusalOf(() => (again = session.decide(wish, after))) === undefined) expect(again).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

it('folds every prefix of every history', () => {
  fc.assert(
    fc.property(arbitraryHistory, ({ events }) => {
      for (let length = 0; length <= events.length; length += 1) fold(session, events.slice(0, length));
    }),
  );
});

it('ends every command exactly once, and never without having issued it', () => {
  fc.assert(
    fc.property(arbitraryHistory, ({ events, state }) => {
      const count = (types: readonly string[], commandId: string) =>
        events.filter(
          (event) =>
            types.includes(event.type) && 'commandId' in event.data && event.data.commandId === commandId,
        ).length;
      const ids = new Set(
        events.flatMap((event) => ('commandId' in event.data ? [event.data.commandId] : [])),
      );
      for (const commandId of ids) {
        expect(count(['CommandIssued'], commandId)).toBe(1);
        expect(count(['CommandStarted'], commandId)).toBeLessThanOrEqual(1);
        expect(count(ends, commandId) + (state.open[commandId] === undefined ? 0 : 1)).toBe(1);
      }
    }),
    { numRuns: 500 },
  );
});

it('always leads to a settled end when nobody says anything any more', () => {
  fc.assert(
    fc.property(arbitraryHistory, ({ state }) => {
      let current = state;
      let now = 4_000;
      for (let look = 0; look < 500 && !isSettled(current); look += 1) {
        const { decisions, nextLook } = dueDecisions(current, null, at(now));
        for (const wish of decisions) current = fold(session, session.decide(wish, current), current);
        now = Math.max(now + 1, Math.ceil(((nextLook ?? 0) - Date.parse(at(0))) / 1000));
      }
      expect(isSettled(current)).toBe(true);
      expect(openCommands(current)).toEqual([]);
    }),
    { numRuns: 200 },
  );
});
