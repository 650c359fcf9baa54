import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dueDecisions, parseIso, type SessionEvent, session } from '../../domain/session/index.ts';
import { specification } from '../support/given.ts';
import { at, connected, issued, requested, started } from '../support/sessions.ts';

const { given } = specification(session);
const due = (seconds: number, events: readonly SessionEvent[], heard: number | null = seconds) =>
  dueDecisions(given(...events).state(), heard === null ? null : at(heard), at(seconds));
const types = (seconds: number, events: readonly SessionEvent[], heard: number | null = seconds) =>
  due(seconds, events, heard).decisions.map((decision) =>
    'reason' in decision ? `${decision.type} ${decision.reason}` : decision.type,
  );

describe('what is due', () => {
  it('waits three minutes for a device', () => {
    expect(types(179, [requested()])).toEqual([]);
    expect(types(180, [requested()])).toEqual(['DeclareUnanswered']);
  });
  it('expires an idle session after thirty minutes, counted from its last activity', () => {
    expect(types(1_800, [requested(), connected])).toEqual([]);
    expect(types(1_801, [requested(), connected])).toEqual(['Expire']);
    expect(types(1_801, [requested(), connected, issued('c1', {}, 1_700), started('c1', 1_701)])).toEqual([]);
  });
  it('cancels what was not started in two minutes, then calls it lost', () => {
    const events = [requested(), connected, issued('c1', {}, 10)];
    expect(types(129, events)).toEqual([]);
    expect(types(130, events)).toEqual(['RequestCancel not-started']);
    const cancelled: SessionEvent = {
      type: 'CommandCancelRequested',
      data: { commandId: 'c1', reason: 'not-started', by: 'system', at: at(130) },
    };
    expect(types(139, [...events, cancelled])).toEqual([]);
    expect(types(140, [...events, cancelled])).toEqual(['DeclareCommandLost NOT_STARTED']);
  });
  it('calls a started command lost only after its limit and half a minute of silence', () => {
    const events = [requested(), connected, issued('c1', { timeLimit: 600 }, 10), started('c1', 11)];
    expect(types(640, events)).toEqual([]);
    expect(types(641, events)).toEqual(['DeclareCommandLost SILENT']);
  });
  it('gives up a session after ten minutes of silence', () => {
    expect(types(599, [requested(), connected], null)).toEqual([]);
    expect(types(601, [requested(), connected], null)).toEqual(['DeclareSessionLost']);
    expect(types(900, [requested(), connected], 400)).toEqual([]);
  });
  it('waits a minute after the end of a session for its open commands', () => {
    const ended: SessionEvent = { type: 'SessionDisconnected', data: { by: 'ana', at: at(20) } };
    const events = [requested(), connected, issued('c1', {}, 10), ended];
    expect(types(79, events)).toEqual([]);
    expect(types(80, events)).toEqual(['DeclareCommandLost SESSION_ENDED']);
    expect(due(20, [requested(), connected, ended]).nextLook).toBeNull();
  });
  it('sends again what should have been started by now', () => {
    const events = [requested(), connected, issued('c1', {}, 10)];
    expect(due(14, events).resend).toEqual([]);
    expect(due(15, events).resend).toEqual(['c1']);
    expect(due(15, [...events, started('c1', 12)]).resend).toEqual([]);
  });
  it('sleeps at least a second, and not long while a command is open', () => {
    const next = (seconds: number, events: readonly SessionEvent[]) =>
      ((due(seconds, events).nextLook ?? 0) - parseIso(at(seconds))) / 1000;
    expect(next(10, [requested(), connected, issued('c1', {}, 10)]), 'to send it again').toBe(5);
    expect(next(15, [requested(), connected, issued('c1', {}, 10)])).toBe(10);
    expect(next(12, [requested(), connected, issued('c1', {}, 10), started('c1', 11)])).toBe(30);
    expect(next(129.9, [requested(), connected, issued('c1', {}, 10)])).toBe(1);
    expect(next(5, [requested(), connected])).toBe(605 - 5);
  });
});

it('reads times exactly as the platform does', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date('1970-01-01'), max: new Date('2199-12-31'), noInvalidDate: true }),
      (date) => {
        expect(parseIso(date.toISOString())).toBe(date.getTime());
      },
    ),
  );
});
