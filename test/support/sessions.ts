import { defaultLimits, type Limits } from '../../domain/limits.ts';
import type { EndedBody } from '../../domain/session/deviceMessage.ts';
import type {
  IssuedCommand,
  SessionCommand,
  SessionEvent,
  VerifiedMessage,
} from '../../domain/session/index.ts';

export const t0 = '2026-01-01T00:00:00.000Z';
/** Seconds after {@link t0}. */
export const at = (seconds: number): string => new Date(Date.parse(t0) + seconds * 1000).toISOString();

export const requested = (limits: Partial<Limits> = {}): SessionEvent => ({
  type: 'SessionRequested',
  data: {
    sessionId: 's1',
    deviceId: 'd1',
    userId: 'ana',
    userName: 'Ana',
    epoch: 7,
    reason: 'beaconing',
    platform: 'linux',
    limits: { ...defaultLimits, ...limits },
    requestHash: 'a'.repeat(64),
    requestedAt: t0,
  },
});

export const connected: SessionEvent = {
  type: 'SessionConnected',
  data: {
    agentVersion: '1.0.0',
    platform: 'linux',
    hostName: 'web-1',
    osVersion: 'Debian 12',
    capabilities: ['dir'],
    directory: '/',
    resumed: false,
    connectedAt: at(1),
  },
};

export const command = (commandId: string, change: Partial<IssuedCommand> = {}): IssuedCommand => ({
  commandId,
  line: 'dir',
  name: 'dir',
  parameters: {},
  flags: [],
  output: 'table',
  redirect: null,
  background: false,
  timeLimit: 600,
  requestHash: 'b'.repeat(64),
  signed: 'header.payload.signature',
  by: 'ana',
  ...change,
});

export const issue = (
  commandId: string,
  change: Partial<IssuedCommand> = {},
  seconds = 2,
): SessionCommand => ({
  type: 'IssueCommand',
  command: command(commandId, change),
  now: at(seconds),
});

export const issued = (commandId: string, change: Partial<IssuedCommand> = {}, seconds = 2): SessionEvent => {
  const { by, ...rest } = command(commandId, change);
  return {
    type: 'CommandIssued',
    data: { ...rest, runsOn: 'device', startWithin: 120, issuedBy: by, issuedAt: at(seconds) },
  };
};

export const started = (commandId: string, seconds = 3): SessionEvent => ({
  type: 'CommandStarted',
  data: { commandId, commandHash: 'c'.repeat(64), deviceTime: at(seconds), at: at(seconds) },
});

export const endedBody = (commandId: string, change: Partial<EndedBody> = {}): EndedBody => ({
  commandId,
  state: 'Completed',
  started: { commandId, commandHash: 'c'.repeat(64), deviceTime: at(3) },
  output: [],
  cancelReached: false,
  exitCode: null,
  duration: 0.05,
  error: null,
  directory: null,
  processesGone: true,
  files: [],
  ...change,
});

export const message = (
  sequence: number,
  content: Pick<VerifiedMessage, 'kind' | 'body'>,
  hash = `hash-of-${sequence}`,
): VerifiedMessage => ({ ...content, run: 'run-1', sequence, hash }) as VerifiedMessage;

export const apply = (verified: VerifiedMessage, seconds = 5): SessionCommand => ({
  type: 'ApplyMessage',
  message: verified,
  now: at(seconds),
});

export const openedMessage = (sequence = 1): VerifiedMessage =>
  message(sequence, {
    kind: 'session.opened',
    body: {
      agentVersion: '1.0.0',
      platform: 'linux',
      hostName: 'web-1',
      osVersion: 'Debian 12',
      capabilities: ['dir'],
      directory: '/',
      resumed: false,
    },
  });

export const endedMessage = (
  sequence: number,
  commandId: string,
  change: Partial<EndedBody> = {},
): VerifiedMessage => message(sequence, { kind: 'command.ended', body: endedBody(commandId, change) });
