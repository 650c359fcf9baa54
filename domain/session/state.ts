import type { Limits } from '../limits.ts';
import { defaultLimits } from '../limits.ts';
import type { CommandEnd } from './events.ts';

/** A command without an end. */
export interface OpenCommand {
  readonly commandId: string;
  readonly name: string;
  readonly line: string;
  readonly background: boolean;
  readonly requestHash: string;
  /** Version of its `CommandIssued`: where the signed command can be read again. */
  readonly issuedVersion: number;
  readonly issuedBy: string;
  readonly issuedAt: string;
  readonly startedAt: string | null;
  readonly startWithin: number;
  readonly timeLimit: number;
  readonly cancelRequestedAt: string | null;
  /** Output parts recorded so far. */
  readonly parts: number;
  /** Set for a command that has the device log in detail while it runs. */
  readonly traces?: true;
}

/** Positions of device messages that were applied, kept in the head so that each is applied once. */
export interface AppliedMessages {
  readonly last: number;
  /** Hashes of the newest messages by sequence: the same message again is dropped, another one under its number is an alarm. */
  readonly recent: Readonly<Record<string, string>>;
  /** Ranges that were skipped and may still come. */
  readonly missing: readonly (readonly [from: number, to: number])[];
  /** Beginnings of the ids of the agent's newest starts: a new start that uses old numbers has lost its journal. */
  readonly runs: readonly string[];
}

export type SessionStatus = 'none' | 'opening' | 'connected' | 'ended';
export type SessionEnd = 'Refused' | 'Unanswered' | 'Abandoned' | 'Disconnected' | 'Expired' | 'Lost';

export interface SessionState {
  /** Events folded so far: the stream's version. */
  readonly version: number;
  readonly status: SessionStatus;
  readonly end: SessionEnd | null;
  readonly endedAt: string | null;
  readonly sessionId: string;
  readonly deviceId: string;
  readonly userId: string;
  readonly userName: string;
  readonly reason: string;
  readonly epoch: number;
  readonly platform: string;
  readonly requestHash: string;
  readonly limits: Limits;
  readonly requestedAt: string;
  readonly connectedAt: string | null;
  readonly agentVersion: string | null;
  readonly hostName: string | null;
  readonly capabilities: readonly string[];
  readonly directory: string | null;
  /** Newest accepted input or end of a command: the idle clock starts here. */
  readonly activeAt: string;
  readonly open: Readonly<Record<string, OpenCommand>>;
  readonly foreground: string | null;
  /** `{end}:{first 16 digits of the request hash}` by command id. */
  readonly closed: Readonly<Record<string, string>>;
  readonly messages: AppliedMessages;
}

export const initialSession: SessionState = {
  version: 0,
  status: 'none',
  end: null,
  endedAt: null,
  sessionId: '',
  deviceId: '',
  userId: '',
  userName: '',
  reason: '',
  epoch: 0,
  platform: '',
  requestHash: '',
  limits: defaultLimits,
  requestedAt: '',
  connectedAt: null,
  agentVersion: null,
  hostName: null,
  capabilities: [],
  directory: null,
  activeAt: '',
  open: {},
  foreground: null,
  closed: {},
  messages: { last: 0, recent: {}, missing: [], runs: [] },
};

export const openCommands = (state: SessionState): readonly OpenCommand[] => Object.values(state.open);

export const closedEnd = (state: SessionState, commandId: string): CommandEnd | undefined =>
  state.closed[commandId]?.split(':')[0] as CommandEnd | undefined;

export const isKnownCommand = (state: SessionState, commandId: string): boolean =>
  state.open[commandId] !== undefined || state.closed[commandId] !== undefined;

/** True when the command id was issued for exactly this request. */
export const isSameRequest = (state: SessionState, commandId: string, requestHash: string): boolean =>
  state.open[commandId]?.requestHash === requestHash ||
  state.closed[commandId]?.split(':')[1] === requestHash.slice(0, 16);

/** Nothing is left to happen: ended, and every command has its end. */
export const isSettled = (state: SessionState): boolean =>
  state.status === 'ended' && openCommands(state).length === 0;
