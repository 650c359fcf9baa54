import { unreachable } from '../decider.ts';
import { DomainError } from '../domainError.ts';
import { fixedLimits } from '../limits.ts';
import { applyMessage } from './applyMessage.ts';
import type { IssuedCommand, ServerAnswer, SessionCommand } from './commands.ts';
import type { CancelReason, LostReason, SessionEvent } from './events.ts';
import {
  isKnownCommand,
  isSameRequest,
  isSettled,
  type OpenCommand,
  openCommands,
  type SessionState,
} from './state.ts';

export const decideSession = (command: SessionCommand, state: SessionState): readonly SessionEvent[] => {
  switch (command.type) {
    case 'RequestSession':
      return requestSession(command, state);
    case 'AbandonSession': {
      if (state.status !== 'none') return [];
      const { sessionId, deviceId, reason, now } = command;
      return [{ type: 'SessionAbandoned', data: { sessionId, deviceId, reason, at: now } }];
    }
    case 'DeclareUnanswered':
      return state.status === 'opening'
        ? [{ type: 'SessionUnanswered', data: { waited: state.limits.connect, at: command.now } }]
        : [];
    case 'IssueCommand':
      return issue(command.command, command.now, state);
    case 'AnswerCommand':
      return answer(command.command, command.answer, command.now, state);
    case 'RequestCancel':
      return requestCancel(command.commandId, command.reason, command.by, command.now, state);
    case 'SendToBackground':
      return sendToBackground(command.commandId, command.by, command.now, state);
    case 'Disconnect':
      if (state.status === 'none') throw sessionUnknown();
      return state.status === 'ended'
        ? []
        : endWith(state, { type: 'SessionDisconnected', data: { by: command.by, at: command.now } });
    case 'Expire':
      // A command may have come in since this was planned.
      return state.status === 'connected' && openCommands(state).length === 0
        ? [{ type: 'SessionExpired', data: { idle: state.limits.idle, at: command.now } }]
        : [];
    case 'DeclareSessionLost':
      if (state.status !== 'connected') return [];
      return [
        ...openCommands(state).map((open) => lost(open.commandId, 'SESSION_LOST', command.now)),
        { type: 'SessionLost', data: { reason: 'SILENT', silent: command.silent, at: command.now } },
      ];
    case 'DeclareCommandLost':
      return state.open[command.commandId] === undefined
        ? []
        : [lost(command.commandId, command.reason, command.now)];
    case 'ApplyMessage':
      return applyMessage(command.message, command.now, state);
    default:
      return unreachable(command);
  }
};

const sessionUnknown = (): DomainError => new DomainError('SESSION_UNKNOWN', 'There is no such session.');

const requestSession = (
  { type: _, now, ...request }: Extract<SessionCommand, { type: 'RequestSession' }>,
  state: SessionState,
): readonly SessionEvent[] => {
  if (state.status === 'none') return [{ type: 'SessionRequested', data: { ...request, requestedAt: now } }];
  if (state.end === 'Abandoned') {
    throw new DomainError(
      'SESSION_ABANDONED',
      'This request to open a session took too long and was given up. Send it again with a new Idempotency-Key.',
    );
  }
  if (state.requestHash === request.requestHash) return [];
  throw new DomainError(
    'IDEMPOTENCY_MISMATCH',
    'This Idempotency-Key was used for another request. Use a new key for a new session.',
  );
};

/** Ending a session asks its open commands to stop; they may still report how they ended. */
const endWith = (
  state: SessionState,
  end: Extract<SessionEvent, { type: 'SessionDisconnected' }>,
): readonly SessionEvent[] => [
  ...openCommands(state)
    .filter((open) => open.cancelRequestedAt === null)
    .map((open) => cancelRequested(open.commandId, 'session-ended', end.data.by, end.data.at)),
  end,
];

const cancelRequested = (commandId: string, reason: CancelReason, by: string, at: string): SessionEvent => ({
  type: 'CommandCancelRequested',
  data: { commandId, reason, by, at },
});

const lostMessages: Readonly<Record<LostReason, string>> = {
  NOT_STARTED: 'The device did not say in time that it started the command. It may or may not have run.',
  SILENT: 'The device started the command and fell silent beyond its time limit. Its outcome is unknown.',
  AGENT_RESTARTED:
    'The agent restarted while the command ran. What was left of it was ended; its outcome is unknown.',
  SESSION_LOST: 'The device fell silent. The outcome of the command is unknown.',
  SESSION_ENDED:
    'The session ended and the device did not say how the command ended. Its outcome is unknown.',
};

export const lost = (commandId: string, reason: LostReason, at: string): SessionEvent => ({
  type: 'CommandLost',
  data: { commandId, reason, message: lostMessages[reason], at },
});

/** Throws unless the command may be issued now; true when it was issued before with the same request. */
const isRepeated = (command: IssuedCommand, state: SessionState): boolean => {
  if (state.status === 'none') throw sessionUnknown();
  if (isKnownCommand(state, command.commandId)) {
    if (isSameRequest(state, command.commandId, command.requestHash)) return true;
    throw new DomainError(
      'IDEMPOTENCY_MISMATCH',
      'This Idempotency-Key was used for another command of this session. Use a new key for a new command.',
    );
  }
  if (state.status === 'opening') {
    throw new DomainError(
      'SESSION_NOT_CONNECTED',
      'The device has not answered yet. Wait until the session is connected.',
    );
  }
  if (state.status === 'ended') {
    throw new DomainError('SESSION_ENDED', 'This session has ended. Open a new one.', { end: state.end });
  }
  if (openCommands(state).length + Object.keys(state.closed).length >= fixedLimits.commandsPerSession) {
    throw new DomainError(
      'SESSION_FULL',
      `A session takes at most ${fixedLimits.commandsPerSession} commands. Open a new one.`,
      { limit: fixedLimits.commandsPerSession },
    );
  }
  return false;
};

const issuedEvent = (
  command: IssuedCommand,
  runsOn: 'server' | 'device',
  state: SessionState,
  now: string,
): SessionEvent => {
  const { by, ...rest } = command;
  return {
    type: 'CommandIssued',
    data: { ...rest, runsOn, startWithin: state.limits.startWithin, issuedBy: by, issuedAt: now },
  };
};

const issue = (command: IssuedCommand, now: string, state: SessionState): readonly SessionEvent[] => {
  if (isRepeated(command, state)) return [];
  if (!command.background) refuseSecondForeground(state);
  if (command.background) {
    const running = openCommands(state).filter((open) => open.background).length;
    if (running >= state.limits.backgroundCommands) {
      throw new DomainError(
        'BACKGROUND_LIMIT',
        `${running} commands run in the background, which is the limit. Wait for one or cancel one.`,
        { limit: state.limits.backgroundCommands },
      );
    }
  }
  return [issuedEvent(command, 'device', state, now)];
};

const refuseSecondForeground = (state: SessionState): void => {
  if (state.foreground === null) return;
  const holder = state.open[state.foreground];
  throw new DomainError(
    'FOREGROUND_BUSY',
    `"${holder?.name ?? 'A command'}" runs in the foreground. Wait for it, cancel it, send it to the background, or end your line with &.`,
    { commandId: state.foreground, name: holder?.name ?? null },
  );
};

const answer = (
  command: IssuedCommand,
  { error, output, file, foreground }: ServerAnswer,
  now: string,
  state: SessionState,
): readonly SessionEvent[] => {
  if (isRepeated(command, state)) return [];
  const { commandId } = command;
  const events: SessionEvent[] = [issuedEvent(command, 'server', state, now)];
  if (output !== null) {
    events.push({
      type: 'CommandOutputRecorded',
      data: {
        commandId,
        part: 1,
        stream: 'result',
        offset: 0,
        size: output.size,
        sha256: output.sha256,
        inline: output.inline === null ? null : { text: output.inline },
        blob: output.blob,
      },
    });
  }
  if (file !== null) events.push({ type: 'FileCollected', data: { commandId, ...file, at: now } });
  if (foreground !== null) {
    refuseSecondForeground(state);
    const target: OpenCommand | undefined = state.open[foreground];
    if (target !== undefined) {
      events.push({
        type: 'CommandBroughtToForeground',
        data: { commandId: foreground, by: command.by, at: now },
      });
    }
  }
  events.push({
    type: error === null ? 'CommandCompleted' : 'CommandFailed',
    data: { commandId, exitCode: null, duration: 0, error, directory: null, processesGone: null, at: now },
  });
  return events;
};

const requestCancel = (
  commandId: string,
  reason: CancelReason,
  by: string,
  now: string,
  state: SessionState,
): readonly SessionEvent[] => {
  const open = state.open[commandId];
  if (open === undefined) {
    if (isKnownCommand(state, commandId)) return [];
    throw new DomainError('COMMAND_UNKNOWN', 'There is no such command in this session.');
  }
  return open.cancelRequestedAt === null ? [cancelRequested(commandId, reason, by, now)] : [];
};

const sendToBackground = (
  commandId: string,
  by: string,
  now: string,
  state: SessionState,
): readonly SessionEvent[] => {
  const open = state.open[commandId];
  if (open === undefined) {
    if (isKnownCommand(state, commandId)) return [];
    throw new DomainError('COMMAND_UNKNOWN', 'There is no such command in this session.');
  }
  if (open.background || isSettled(state)) return [];
  const running = openCommands(state).filter((other) => other.background).length;
  if (running >= state.limits.backgroundCommands) {
    throw new DomainError(
      'BACKGROUND_LIMIT',
      `${running} commands run in the background, which is the limit.`,
      {
        limit: state.limits.backgroundCommands,
      },
    );
  }
  return [{ type: 'CommandSentToBackground', data: { commandId, by, at: now } }];
};
