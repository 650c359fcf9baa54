import { startsTracing } from '../catalogue/index.ts';
import { unreachable } from '../decider.ts';
import { withApplied, withGap } from './appliedMessages.ts';
import type { CommandEnd, SessionEvent } from './events.ts';
import { initialSession, type OpenCommand, type SessionEnd, type SessionState } from './state.ts';

export const evolveSession = (state: SessionState, event: SessionEvent): SessionState => {
  const next = { ...apply(state, event), version: state.version + 1 };
  const message = 'device' in event.data ? event.data.device : undefined;
  return message === undefined ? next : { ...next, messages: withApplied(next.messages, message) };
};

const apply = (state: SessionState, event: SessionEvent): SessionState => {
  switch (event.type) {
    case 'SessionRequested': {
      const { requestedAt, ...request } = event.data;
      return { ...initialSession, ...request, status: 'opening', requestedAt, activeAt: requestedAt };
    }
    case 'SessionConnected': {
      const { agentVersion, platform, hostName, capabilities, directory, connectedAt } = event.data;
      return {
        ...state,
        status: 'connected',
        agentVersion,
        platform,
        hostName,
        capabilities,
        directory,
        connectedAt: state.connectedAt ?? connectedAt,
        activeAt: connectedAt,
      };
    }
    case 'SessionRefused':
      return ended(state, 'Refused', event.data.at);
    case 'SessionUnanswered':
      return ended(state, 'Unanswered', event.data.at);
    case 'SessionAbandoned':
      return ended(
        {
          ...state,
          sessionId: event.data.sessionId,
          deviceId: event.data.deviceId,
          requestedAt: event.data.at,
        },
        'Abandoned',
        event.data.at,
      );
    case 'SessionDisconnected':
      return ended(state, 'Disconnected', event.data.at);
    case 'SessionExpired':
      return ended(state, 'Expired', event.data.at);
    case 'SessionLost':
      return ended(state, 'Lost', event.data.at);
    case 'CommandIssued':
      return issued(state, event.data);
    case 'CommandStarted':
      return withCommand(state, event.data.commandId, { startedAt: event.data.at });
    case 'CommandOutputRecorded':
      return withCommand(state, event.data.commandId, { parts: event.data.part });
    case 'CommandSentToBackground': {
      const { commandId, at } = event.data;
      return {
        ...withCommand(state, commandId, { background: true }),
        foreground: state.foreground === commandId ? null : state.foreground,
        activeAt: at,
      };
    }
    case 'CommandBroughtToForeground': {
      const { commandId, at } = event.data;
      return { ...withCommand(state, commandId, { background: false }), foreground: commandId, activeAt: at };
    }
    case 'CommandCancelRequested': {
      const { commandId, reason, at } = event.data;
      const cancelled = withCommand(state, commandId, { cancelRequestedAt: at });
      return reason === 'user' ? { ...cancelled, activeAt: at } : cancelled;
    }
    case 'CommandCancelReached':
    case 'LateResultRecorded':
    case 'FileCollected':
    case 'FilePlaced':
    case 'TraceChanged':
    case 'SequenceReused':
      return state;
    case 'CommandCompleted':
      return closed(state, 'Completed', event.data);
    case 'CommandFailed':
      return closed(state, 'Failed', event.data);
    case 'CommandCancelled':
      return closed(state, 'Cancelled', event.data);
    case 'CommandTimedOut':
      return closed(state, 'TimedOut', event.data);
    case 'CommandLost':
      return closed(state, 'Lost', { ...event.data, directory: null });
    case 'SequenceGapRecorded':
      return { ...state, messages: withGap(state.messages, event.data.from, event.data.to) };
    default:
      return unreachable(event);
  }
};

const ended = (state: SessionState, end: SessionEnd, at: string): SessionState => ({
  ...state,
  status: 'ended',
  end,
  endedAt: at,
});

const issued = (
  state: SessionState,
  data: Extract<SessionEvent, { type: 'CommandIssued' }>['data'],
): SessionState => {
  const command: OpenCommand = {
    commandId: data.commandId,
    name: data.name,
    line: shortened(data.line),
    background: data.background,
    requestHash: data.requestHash,
    issuedVersion: state.version + 1,
    issuedBy: data.issuedBy,
    issuedAt: data.issuedAt,
    startedAt: null,
    startWithin: data.startWithin,
    timeLimit: data.timeLimit,
    cancelRequestedAt: null,
    parts: 0,
    ...(startsTracing(data) ? { traces: true as const } : {}),
  };
  const takesForeground = !data.background && data.runsOn === 'device';
  return {
    ...state,
    open: { ...state.open, [data.commandId]: command },
    foreground: takesForeground ? data.commandId : state.foreground,
    activeAt: data.issuedAt,
  };
};

/** The head keeps enough of a line to recognise it; the event keeps it all. Never ends inside a surrogate pair. */
const shortened = (line: string): string => line.slice(0, 200).replace(/[\uD800-\uDBFF]$/, '');

const withCommand = (state: SessionState, commandId: string, change: Partial<OpenCommand>): SessionState => {
  const command = state.open[commandId];
  return command === undefined
    ? state
    : { ...state, open: { ...state.open, [commandId]: { ...command, ...change } } };
};

const closed = (
  state: SessionState,
  end: CommandEnd,
  data: { readonly commandId: string; readonly directory: string | null; readonly at: string },
): SessionState => {
  const { [data.commandId]: command, ...open } = state.open;
  if (command === undefined) return state;
  return {
    ...state,
    open,
    foreground: state.foreground === data.commandId ? null : state.foreground,
    closed: { ...state.closed, [data.commandId]: `${end}:${command.requestHash.slice(0, 16)}` },
    directory: data.directory ?? state.directory,
    activeAt: data.at,
  };
};
