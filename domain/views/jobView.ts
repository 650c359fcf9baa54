import type { EventEnvelope } from '../envelope.ts';
import type { SessionEvent } from '../session/events.ts';
import type { View } from './view.ts';

/** One row per command, for job lists and status questions. */
export interface JobRow {
  readonly commandId: string;
  readonly sessionId: string;
  readonly name: string;
  readonly line: string;
  readonly background: boolean;
  readonly state: 'Issued' | 'Started' | 'Completed' | 'Failed' | 'Cancelled' | 'TimedOut' | 'Lost';
  readonly cancelRequested: boolean;
  readonly issuedBy: string;
  readonly issuedAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  /** Seconds, as the device measured them. */
  readonly duration: number | null;
  readonly exitCode: number | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** Bytes of output recorded so far. */
  readonly outputSize: number;
  readonly files: readonly {
    readonly fileId: string;
    readonly name: string;
    readonly size: number;
    readonly sha256: string;
  }[];
}

export const jobView: View<JobRow> = {
  name: 'jobView-v1',
  concerns: (streamId) => streamId.startsWith('session-'),
  keyOf: (envelope) => {
    const { commandId } = envelope.data as { readonly commandId?: unknown };
    return typeof commandId === 'string' ? commandId : undefined;
  },
  partition: (tenantId, streamId) => `${tenantId}|jobView-v1|${streamId}`,
  sortKey: (row) => `${row.issuedAt}|${row.commandId}`,
  apply: (row, envelope) => fold(row, envelope),
};

const ends = {
  CommandCompleted: 'Completed',
  CommandFailed: 'Failed',
  CommandCancelled: 'Cancelled',
  CommandTimedOut: 'TimedOut',
} as const;

const fold = (row: JobRow | undefined, envelope: EventEnvelope): JobRow => {
  const event = { type: envelope.type, data: envelope.data } as SessionEvent;
  if (event.type === 'CommandIssued') {
    const { commandId, name, line, background, issuedBy, issuedAt } = event.data;
    return {
      commandId,
      sessionId: envelope.streamId.slice('session-'.length),
      name,
      line,
      background,
      state: 'Issued',
      cancelRequested: false,
      issuedBy,
      issuedAt,
      startedAt: null,
      endedAt: null,
      duration: null,
      exitCode: null,
      error: null,
      outputSize: 0,
      files: [],
    };
  }
  if (row === undefined)
    throw new Error(
      `${envelope.streamId}@${envelope.version}: ${envelope.type} about a command that was never issued`,
    );
  switch (event.type) {
    case 'CommandStarted':
      return { ...row, state: 'Started', startedAt: event.data.at };
    case 'CommandOutputRecorded':
      return { ...row, outputSize: event.data.offset + event.data.size };
    case 'CommandSentToBackground':
      return { ...row, background: true };
    case 'CommandBroughtToForeground':
      return { ...row, background: false };
    case 'CommandCancelRequested':
      return { ...row, cancelRequested: true };
    case 'FileCollected': {
      const { fileId, name, size, sha256 } = event.data;
      return { ...row, files: [...row.files, { fileId, name, size, sha256 }] };
    }
    case 'CommandCompleted':
    case 'CommandFailed':
    case 'CommandCancelled':
    case 'CommandTimedOut': {
      const { exitCode, error, duration, at } = event.data;
      return { ...row, state: ends[event.type], exitCode, error, duration, endedAt: at };
    }
    case 'CommandLost':
      return {
        ...row,
        state: 'Lost',
        error: { code: event.data.reason, message: event.data.message },
        endedAt: event.data.at,
      };
    default:
      return row;
  }
};
