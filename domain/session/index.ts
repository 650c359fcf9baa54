import type { Decider } from '../decider.ts';
import type { DomainEvent } from '../envelope.ts';
import type { StreamFold } from '../eventStore.ts';
import type { SessionCommand } from './commands.ts';
import { decideSession } from './decide.ts';
import type { SessionEvent } from './events.ts';
import { evolveSession } from './evolve.ts';
import { initialSession, type SessionState } from './state.ts';

export const session: Decider<SessionCommand, SessionState, SessionEvent> = {
  initialState: initialSession,
  decide: decideSession,
  evolve: evolveSession,
};

/** Stored beside every head of a session: raise it when the shape of {@link SessionState} changes. */
export const sessionFold: StreamFold<SessionState> = {
  foldVersion: 2,
  initialState: initialSession,
  evolve: (state, event: DomainEvent) => evolveSession(state, event as SessionEvent),
};

export const sessionStream = (sessionId: string): string => `session-${sessionId}`;

export type { IssuedCommand, ServerAnswer, SessionCommand } from './commands.ts';
export type { SessionMessage, VerifiedMessage } from './deviceMessage.ts';
export { type Due, dueDecisions, parseIso } from './dueDecisions.ts';
export type { CommandEnd, DeviceMessageRecord, SessionEvent, SessionEventType } from './events.ts';
export {
  closedEnd,
  isKnownCommand,
  isSettled,
  type OpenCommand,
  openCommands,
  type SessionEnd,
  type SessionState,
  type SessionStatus,
} from './state.ts';
