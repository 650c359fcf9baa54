import fc from 'fast-check';
import { DomainError } from '../../domain/domainError.ts';
import {
  type SessionCommand,
  type SessionEvent,
  type SessionState,
  session,
} from '../../domain/session/index.ts';
import { apply, at, command, endedBody, message, openedMessage, requested } from './sessions.ts';

const commandId = fc.integer({ min: 1, max: 6 }).map((number) => `c${number}`);
const seconds = fc.integer({ min: 1, max: 4_000 });
const sequence = fc.integer({ min: 1, max: 12 });
const state = fc.constantFrom('Completed', 'Failed', 'Cancelled', 'TimedOut', 'Lost' as const);

/** Anything that people, devices and supervision may ask of a session, in any order. */
export const arbitraryCommand: fc.Arbitrary<SessionCommand> = fc.oneof(
  fc
    .record({ id: commandId, background: fc.boolean(), seconds })
    .map(({ id, background, seconds: when }): SessionCommand => ({
      type: 'IssueCommand',
      command: command(id, { background, requestHash: background ? 'b'.repeat(64) : 'a'.repeat(64) }),
      now: at(when),
    })),
  fc.record({ id: commandId, seconds }).map(({ id, seconds: when }): SessionCommand => ({
    type: 'AnswerCommand',
    command: command(id, { signed: null, requestHash: 'e'.repeat(64) }),
    answer: { error: null, output: null, file: null, foreground: null },
    now: at(when),
  })),
  fc.record({ id: commandId, seconds }).map(({ id, seconds: when }): SessionCommand => ({
    type: 'RequestCancel',
    commandId: id,
    reason: 'user',
    by: 'ana',
    now: at(when),
  })),
  fc.record({ id: commandId, seconds }).map(({ id, seconds: when }): SessionCommand => ({
    type: 'SendToBackground',
    commandId: id,
    by: 'ana',
    now: at(when),
  })),
  fc.record({ id: commandId, seconds }).map(({ id, seconds: when }): SessionCommand => ({
    type: 'DeclareCommandLost',
    commandId: id,
    reason: 'SILENT',
    now: at(when),
  })),
  fc
    .record({ id: commandId, number: sequence, ends: state, seconds })
    .map(({ id, number, ends, seconds: when }) =>
      apply(
        message(
          number,
          { kind: 'command.ended', body: endedBody(id, { state: ends }) },
          `${number}-${id}-${ends}`,
        ),
        when,
      ),
    ),
  fc.record({ id: commandId, number: sequence, seconds }).map(({ id, number, seconds: when }) =>
    apply(
      message(
        number,
        {
          kind: 'command.started',
          body: { commandId: id, commandHash: 'c'.repeat(64), deviceTime: at(when) },
        },
        `${number}-${id}-started`,
      ),
      when,
    ),
  ),
  sequence.map((number) => apply(openedMessage(number))),
  fc.constantFrom<SessionCommand>(
    { type: 'Disconnect', by: 'ana', now: at(3_900) },
    { type: 'Expire', now: at(3_901) },
    { type: 'DeclareSessionLost', silent: 600, now: at(3_902) },
    { type: 'DeclareUnanswered', now: at(3_903) },
  ),
);

/** What a session becomes under a list of wishes: the refused ones change nothing. */
export const play = (
  commands: readonly SessionCommand[],
): { readonly events: readonly SessionEvent[]; readonly state: SessionState } => {
  const events: SessionEvent[] = [requested()];
  let current = session.evolve(session.initialState, requested());
  for (const wish of [apply(openedMessage(1)), ...commands]) {
    try {
      for (const event of session.decide(wish, current)) {
        events.push(event);
        current = session.evolve(current, event);
      }
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
    }
  }
  return { events, state: current };
};

export const arbitraryHistory = fc
  .array(arbitraryCommand, { maxLength: 40 })
  .map((commands) => play(commands));
