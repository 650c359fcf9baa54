import type { EventEnvelope } from '../envelope.ts';
import type { SessionEvent } from '../session/events.ts';
import type { View } from './view.ts';

/** One row per session, for lists: who opened what where, and how it stands. */
export interface SessionRow {
  readonly sessionId: string;
  readonly deviceId: string;
  readonly userId: string;
  readonly userName: string;
  readonly reason: string;
  readonly platform: string;
  readonly hostName: string | null;
  readonly status: 'opening' | 'connected' | 'ended';
  readonly end: string | null;
  readonly requestedAt: string;
  readonly connectedAt: string | null;
  readonly endedAt: string | null;
  readonly commands: number;
  readonly openCommands: number;
  readonly files: number;
}

const ends = {
  SessionRefused: 'Refused',
  SessionUnanswered: 'Unanswered',
  SessionAbandoned: 'Abandoned',
  SessionDisconnected: 'Disconnected',
  SessionExpired: 'Expired',
  SessionLost: 'Lost',
} as const;

const blank: SessionRow = {
  sessionId: '',
  deviceId: '',
  userId: '',
  userName: '',
  reason: '',
  platform: '',
  hostName: null,
  status: 'opening',
  end: null,
  requestedAt: '',
  connectedAt: null,
  endedAt: null,
  commands: 0,
  openCommands: 0,
  files: 0,
};

export const sessionView: View<SessionRow> = {
  name: 'sessionView-v1',
  concerns: (streamId) => streamId.startsWith('session-'),
  keyOf: ({ streamId }) => streamId.slice('session-'.length),
  partition: (tenantId) => `${tenantId}|sessionView-v1`,
  sortKey: (row) => `${row.requestedAt}|${row.sessionId}`,
  apply: (row, envelope) =>
    fold(row ?? { ...blank, sessionId: envelope.streamId.slice('session-'.length) }, envelope),
};

const fold = (row: SessionRow, envelope: EventEnvelope): SessionRow => {
  const event = { type: envelope.type, data: envelope.data } as SessionEvent;
  switch (event.type) {
    case 'SessionRequested': {
      const { deviceId, userId, userName, reason, platform, requestedAt } = event.data;
      return { ...row, deviceId, userId, userName, reason, platform, requestedAt };
    }
    case 'SessionConnected': {
      const { platform, hostName, connectedAt } = event.data;
      return { ...row, status: 'connected', platform, hostName, connectedAt: row.connectedAt ?? connectedAt };
    }
    case 'SessionAbandoned':
      return {
        ...row,
        status: 'ended',
        end: 'Abandoned',
        deviceId: event.data.deviceId,
        requestedAt: event.data.at,
        endedAt: event.data.at,
      };
    case 'SessionRefused':
    case 'SessionUnanswered':
    case 'SessionDisconnected':
    case 'SessionExpired':
    case 'SessionLost':
      return { ...row, status: 'ended', end: ends[event.type], endedAt: event.data.at };
    case 'CommandIssued':
      return { ...row, commands: row.commands + 1, openCommands: row.openCommands + 1 };
    case 'CommandCompleted':
    case 'CommandFailed':
    case 'CommandCancelled':
    case 'CommandTimedOut':
    case 'CommandLost':
      return { ...row, openCommands: row.openCommands - 1 };
    case 'FileCollected':
      return { ...row, files: row.files + 1 };
    default:
      return row;
  }
};
