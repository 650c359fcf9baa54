import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fold } from '../../domain/decider.ts';
import { DomainError } from '../../domain/domainError.ts';
import { type SlotsCommand, type SlotsEvent, slots } from '../../domain/slots/index.ts';
import { specification } from '../support/given.ts';

const { given } = specification(slots);
const limits = { openSessionsPerTenant: 25, openSessionsPerUser: 10 };
const take = (sessionId: string, deviceId: string, userId: string, change = limits): SlotsCommand => ({
  type: 'TakeSlot',
  sessionId,
  deviceId,
  userId,
  limits: change,
  now: 't',
});
const taken = (sessionId: string, deviceId: string, userId: string, epoch = 1): SlotsEvent => ({
  type: 'SlotTaken',
  data: { sessionId, deviceId, userId, epoch, at: 't' },
});

describe('slots', () => {
  it('gives each a higher epoch, also on the same device', () => {
    given(taken('s1', 'd1', 'ana', 4), {
      type: 'SlotReleased',
      data: { sessionId: 's1', reason: 'Disconnected', at: 't' },
    })
      .when(take('s2', 'd1', 'ben'))
      .then(taken('s2', 'd1', 'ben', 5));
  });
  it('names the holder of a device', () => {
    const refusal = given(taken('s1', 'd1', 'ana'))
      .when(take('s2', 'd1', 'ben'))
      .thenRefuses('DEVICE_SESSION_LIMIT');
    expect(refusal?.details).toEqual({ limit: 1, sessionId: 's1', userId: 'ana' });
  });
  it('takes and releases once', () => {
    given(taken('s1', 'd1', 'ana'))
      .when(take('s1', 'd1', 'ana'))
      .thenNothing();
    given().when({ type: 'ReleaseSlot', sessionId: 's1', reason: 'x', now: 't' }).thenNothing();
  });
  it('holds ten for a user and twenty-five for a tenant', () => {
    const ten = Array.from({ length: 10 }, (_, index) => taken(`s${index}`, `d${index}`, 'ana', index + 1));
    given(...ten)
      .when(take('more', 'dx', 'ana'))
      .thenRefuses('USER_SESSION_LIMIT');
    const full = Array.from({ length: 25 }, (_, index) =>
      taken(`s${index}`, `d${index}`, `u${index % 3}`, index + 1),
    );
    given(...full)
      .when(take('more', 'dx', 'new'))
      .thenRefuses('TENANT_SESSION_LIMIT');
  });
  it('never exceeds a limit, whatever the order', () => {
    const id = (prefix: string, most: number) =>
      fc.integer({ min: 0, max: most }).map((number) => `${prefix}${number}`);
    const small = { openSessionsPerTenant: 5, openSessionsPerUser: 2 };
    const command = fc.oneof(
      fc
        .record({ sessionId: id('s', 20), deviceId: id('d', 8), userId: id('u', 4) })
        .map((wanted) => take(wanted.sessionId, wanted.deviceId, wanted.userId, small)),
      id('s', 20).map((sessionId): SlotsCommand => ({
        type: 'ReleaseSlot',
        sessionId,
        reason: 'x',
        now: 't',
      })),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
        let state = slots.initialState;
        for (const wanted of commands) {
          try {
            state = fold(slots, slots.decide(wanted, state), state);
          } catch (error) {
            if (!(error instanceof DomainError)) throw error;
          }
          const holders = Object.values(state.holders);
          expect(holders.length).toBeLessThanOrEqual(5);
          expect(new Set(holders.map(({ deviceId }) => deviceId)).size).toBe(holders.length);
          for (const { userId } of holders)
            expect(holders.filter((other) => other.userId === userId).length).toBeLessThanOrEqual(2);
        }
      }),
    );
  });
});
