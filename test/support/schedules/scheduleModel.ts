import type { EventEnvelope } from '../../../domain/envelope.ts';
import { chainFaults } from '../../../evidence/hashChain.ts';
import { commandFaults, endOf, sessionEndTypes } from '../faultHistory.ts';

/** A command that was asked for. */
export interface ModelCommand {
  readonly commandId: string;
  readonly line: string;
  /** What its request was answered with; `pending` while nothing is known. */
  answer: 'pending' | 'accepted' | 'refused';
  /** Somebody asked for its end. */
  isCancelled: boolean;
  /** What ran it, or a word about it, may have been lost since it was asked for. */
  mayBeLost: boolean;
}

export interface ModelSession {
  readonly sessionId: string;
  readonly commands: ModelCommand[];
  isClosed: boolean;
  /** What the device said when it answered may have been lost. */
  mayBeUnanswered: boolean;
}

/** All that a schedule knows about what it did to one device. */
export interface ScheduleModel {
  readonly sessions: ModelSession[];
  isReading: boolean;
}

export const newModel = (): ScheduleModel => ({ sessions: [], isReading: false });

export const openSession = ({ sessions }: ScheduleModel): ModelSession | undefined =>
  sessions.findLast(({ isClosed }) => !isClosed);

/** What leads the commands of this device died: all that were asked for by now may have died with it. */
export const loseCommands = ({ sessions }: ScheduleModel): void => {
  for (const command of sessions.flatMap(({ commands }) => commands)) command.mayBeLost = true;
};

/** A word of the device was lost: about any command of the session, or its answer. */
export const loseWords = (session: ModelSession): void => {
  session.mayBeUnanswered = true;
  for (const command of session.commands) command.mayBeLost = true;
};

const allowedEnds = ({ isCancelled, mayBeLost }: ModelCommand): ReadonlySet<string> =>
  new Set(['Completed', ...(isCancelled ? ['Cancelled'] : []), ...(mayBeLost ? ['Lost'] : [])]);

/** What the history of a session says and the model does not allow, or the other way round. Empty when they agree. */
export const disagreements = (
  { sessionId, commands, mayBeUnanswered }: ModelSession,
  events: readonly EventEnvelope[],
  executions: readonly string[],
): readonly string[] => {
  const answered = (answer: ModelCommand['answer']) =>
    commands.filter((command) => command.answer === answer).map(({ commandId }) => commandId);
  const known = new Set(commands.map(({ commandId }) => commandId));
  const facts = { accepted: answered('accepted'), refused: answered('refused'), executions };
  const found = [
    ...chainFaults(`session-${sessionId}`, events).map(({ version, fault }) => `version ${version} ${fault}`),
    ...commandFaults(events, facts).map(({ commandId, fault }) => `command ${commandId} ${fault}`),
  ];
  for (const command of commands) {
    const end = endOf(events, command.commandId);
    if (command.answer === 'pending') found.push(`command ${command.commandId} was never answered`);
    if (end !== undefined && !allowedEnds(command).has(end))
      found.push(`command ${command.commandId} (${command.line}) is ${end} without a reason`);
  }
  for (const { type, data } of events) {
    const issued = type === 'CommandIssued' && 'commandId' in data ? String(data.commandId) : undefined;
    if (issued !== undefined && !known.has(issued)) found.push(`command ${issued} was issued by nobody`);
  }
  const ends = events.filter(({ type }) => sessionEndTypes.has(type)).map(({ type }) => type);
  const mayEnd = ['SessionDisconnected', ...(mayBeUnanswered ? ['SessionUnanswered'] : [])];
  if (ends.length !== 1 || !mayEnd.includes(ends[0] ?? ''))
    found.push(`the session ended with ${ends.join(' and ') || 'nothing'}, not with ${mayEnd.join(' or ')}`);
  return found;
};

interface Told {
  readonly version: number;
  readonly hash: string;
}

/** What a reader was told, compared with what is stored. */
export const readingFaults = (read: readonly Told[], stored: readonly Told[]): readonly string[] => {
  const shown = (all: readonly Told[]) => all.map(({ version, hash }) => `${version} ${hash}`).join('\n');
  return shown(read) === shown(stored)
    ? []
    : [
        `a reader was told versions ${read.map(({ version }) => version).join(' ')} of ${stored.length} events`,
      ];
};
