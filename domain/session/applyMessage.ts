import { unreachable } from '../decider.ts';
import { DomainError } from '../domainError.ts';
import { positionOf } from './appliedMessages.ts';
import type { EndedBody, OutputPart, StartedBody, VerifiedMessage } from './deviceMessage.ts';
import type { CommandResult, DeviceMessageRecord, SessionEvent } from './events.ts';
import { closedEnd, type OpenCommand, openCommands, type SessionState } from './state.ts';

/**
 * What a verified device message means for the session. A message that cannot be true here is refused with a
 * {@link DomainError}: the caller records it and goes on, it never changes the session.
 */
export const applyMessage = (
  message: VerifiedMessage,
  now: string,
  state: SessionState,
): readonly SessionEvent[] => {
  if (state.status === 'none') throw new DomainError('SESSION_UNKNOWN', 'There is no such session.');
  const position = positionOf(state.messages, message);
  switch (position.is) {
    case 'applied-before':
      return [];
    case 'reused':
      return state.status === 'ended' ? [] : sequenceReused(message, position.firstHash, now, state);
    case 'next':
    case 'late':
      return carrying(recordOf(message), meaning(message, now, state));
    case 'after-gap': {
      const events = carrying(recordOf(message), meaning(message, now, state));
      // An ended session takes nothing but the ends of its commands: what was refused in between leaves a number unused, and
      // calling that a gap would accuse an honest device.
      if (state.status === 'ended') return events;
      return [
        { type: 'SequenceGapRecorded', data: { from: position.from, to: position.to, at: now } },
        ...events,
      ];
    }
    default:
      return unreachable(position);
  }
};

const recordOf = ({ kind, body, run, sequence, hash }: VerifiedMessage): DeviceMessageRecord => ({
  kind,
  commandId: 'commandId' in body ? body.commandId : null,
  run,
  sequence,
  hash,
  body,
});

/** The first event made from a message carries it. */
const carrying = (
  device: DeviceMessageRecord,
  [first, ...rest]: readonly SessionEvent[],
): readonly SessionEvent[] =>
  first === undefined ? [] : [{ ...first, data: { ...first.data, device } } as SessionEvent, ...rest];

const sequenceReused = (
  message: VerifiedMessage,
  firstHash: string,
  now: string,
  state: SessionState,
): readonly SessionEvent[] => [
  {
    type: 'SequenceReused',
    data: { reusedSequence: message.sequence, firstHash, second: recordOf(message), at: now },
  },
  ...openCommands(state).map(({ commandId }): SessionEvent => ({
    type: 'CommandLost',
    data: {
      commandId,
      reason: 'SESSION_LOST',
      message:
        'The device used a message number twice. The session was ended; the outcome of the command is unknown.',
      at: now,
    },
  })),
  { type: 'SessionLost', data: { reason: 'SEQUENCE_REUSED', silent: 0, at: now } },
];

const meaning = (message: VerifiedMessage, now: string, state: SessionState): readonly SessionEvent[] => {
  switch (message.kind) {
    case 'session.opened':
      // An honest device says this when the end of the session and its own start cross: no news, and no fault of its.
      if (state.status === 'ended') return [];
      return [
        {
          type: 'SessionConnected',
          data: { ...message.body, resumed: state.status === 'connected', connectedAt: now },
        },
      ];
    case 'session.refused':
      if (state.status === 'ended') return [];
      if (state.status === 'connected') {
        throw new DomainError('SESSION_CONNECTED', 'A connected session cannot be refused any more.');
      }
      return [{ type: 'SessionRefused', data: { ...message.body, at: now } }];
    case 'command.started':
      return started(message.body, now, state);
    case 'command.output':
      return state.open[message.body.commandId] === undefined
        ? late(message.body.commandId, message.kind, null, now, state)
        : outputs(message.body.commandId, message.body.parts, state);
    case 'command.ended':
      return ended(message.body, now, state);
    default:
      return unreachable(message);
  }
};

const started = (body: StartedBody, now: string, state: SessionState): readonly SessionEvent[] => {
  const open = state.open[body.commandId];
  if (open === undefined) return late(body.commandId, 'command.started', null, now, state);
  if (open.startedAt !== null)
    throw new DomainError('COMMAND_STARTED_TWICE', 'The device says that it started a command again.');
  return [{ type: 'CommandStarted', data: { ...body, at: now } }, ...traceChange(open, true, now)];
};

/** A device may speak late about a lost command: recorded, never rewriting what was said before. */
const late = (
  commandId: string,
  kind: string,
  state_: string | null,
  now: string,
  state: SessionState,
): readonly SessionEvent[] => {
  const end = closedEnd(state, commandId);
  if (end === 'Lost')
    return [{ type: 'LateResultRecorded', data: { commandId, kind, state: state_, at: now } }];
  if (end !== undefined)
    throw new DomainError('COMMAND_ENDED', 'The device speaks about a command that it ended before.');
  throw new DomainError(
    'COMMAND_UNKNOWN',
    'The device speaks about a command that was never issued in this session.',
  );
};

const outputs = (
  commandId: string,
  parts: readonly OutputPart[],
  state: SessionState,
): readonly SessionEvent[] => {
  const recorded = state.open[commandId]?.parts ?? 0;
  parts.forEach((part, index) => {
    if (part.part !== recorded + index + 1) {
      throw new DomainError(
        'OUTPUT_OUT_OF_ORDER',
        'The parts of a command’s output must come without holes.',
      );
    }
  });
  return parts.map((part) => ({ type: 'CommandOutputRecorded', data: { commandId, ...part } }));
};

const endEvents = {
  Completed: 'CommandCompleted',
  Failed: 'CommandFailed',
  Cancelled: 'CommandCancelled',
  TimedOut: 'CommandTimedOut',
} as const;

const ended = (body: EndedBody, now: string, state: SessionState): readonly SessionEvent[] => {
  const { commandId } = body;
  const open = state.open[commandId];
  if (open === undefined) return late(commandId, 'command.ended', body.state, now, state);
  const events: SessionEvent[] = [];
  if (body.started !== null && open.startedAt === null) {
    events.push({ type: 'CommandStarted', data: { ...body.started, commandId, at: now } });
    events.push(...traceChange(open, true, now));
  }
  if (
    body.started === null &&
    open.startedAt === null &&
    (body.state === 'Completed' || body.state === 'TimedOut')
  ) {
    throw new DomainError(
      'COMMAND_NOT_STARTED',
      'The device ended a command without saying that it started it.',
    );
  }
  events.push(...outputs(commandId, body.output, state));
  for (const file of body.files)
    events.push({ type: 'FileCollected', data: { commandId, ...file, at: now } });
  for (const file of body.placed ?? [])
    events.push({ type: 'FilePlaced', data: { commandId, ...file, at: now } });
  if (body.cancelReached) events.push({ type: 'CommandCancelReached', data: { commandId, at: now } });
  // The device's own word about a lost command is that it does not know; a command that never ran changed nothing.
  const ran = body.started !== null || open.startedAt !== null;
  if (ran && body.state !== 'Lost') events.push(...traceChange(open, false, now));
  events.push(endEvent(body, now));
  return events;
};

const traceChange = (
  { commandId, traces }: OpenCommand,
  tracing: boolean,
  at: string,
): readonly SessionEvent[] =>
  traces === true ? [{ type: 'TraceChanged', data: { commandId, tracing, at } }] : [];

const endEvent = (body: EndedBody, now: string): SessionEvent => {
  if (body.state === 'Lost') {
    return {
      type: 'CommandLost',
      data: {
        commandId: body.commandId,
        reason: 'AGENT_RESTARTED',
        message:
          body.error?.message ?? 'The agent was interrupted while the command ran. Its outcome is unknown.',
        at: now,
      },
    };
  }
  const { commandId, exitCode, duration, error, directory, processesGone } = body;
  const result: CommandResult = { commandId, exitCode, duration, error, directory, processesGone, at: now };
  return { type: endEvents[body.state], data: result };
};
