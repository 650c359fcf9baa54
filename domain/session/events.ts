import type { Limits } from '../limits.ts';

/**
 * Events of `session-{sessionId}`. Names and fields are stored data: never rename one, never change a meaning.
 * An event made from a device message is preceded in its append by no other or shares that message's `device` part:
 * the first event of the message carries it.
 */

/** A device message as it arrived, kept verbatim so that its signature can be checked again at any time. */
export interface DeviceMessageRecord {
  readonly kind: string;
  readonly commandId: string | null;
  readonly run: string;
  readonly sequence: number;
  /** SHA-256, hex, of the signed form. */
  readonly hash: string;
  readonly body: unknown;
}

interface FromDevice {
  readonly device?: DeviceMessageRecord;
}

/** Text that may not be valid UTF-8: then `bytes` holds the original, base64, and `text` a readable form. */
export interface Text {
  readonly text: string;
  readonly bytes?: string;
}

export type CommandEnd = 'Completed' | 'Failed' | 'Cancelled' | 'TimedOut' | 'Lost';
export type CancelReason = 'user' | 'not-started' | 'session-ended';
export type LostReason = 'NOT_STARTED' | 'SILENT' | 'AGENT_RESTARTED' | 'SESSION_LOST' | 'SESSION_ENDED';

export type SessionEvent =
  | {
      readonly type: 'SessionRequested';
      readonly data: {
        readonly sessionId: string;
        readonly deviceId: string;
        readonly userId: string;
        readonly userName: string;
        readonly epoch: number;
        readonly reason: string;
        readonly platform: string;
        readonly limits: Limits;
        /** SHA-256, hex, of the request: the same key with another request is refused. */
        readonly requestHash: string;
        readonly requestedAt: string;
      };
    }
  | {
      readonly type: 'SessionConnected';
      readonly data: FromDevice & {
        readonly agentVersion: string;
        readonly platform: string;
        readonly hostName: string;
        readonly osVersion: string;
        readonly capabilities: readonly string[];
        readonly directory: string;
        /** True when a restarted agent took up a session that was connected before. */
        readonly resumed: boolean;
        readonly connectedAt: string;
      };
    }
  | {
      readonly type: 'SessionRefused';
      readonly data: FromDevice & { readonly code: string; readonly message: string; readonly at: string };
    }
  | { readonly type: 'SessionUnanswered'; readonly data: { readonly waited: number; readonly at: string } }
  | {
      readonly type: 'SessionAbandoned';
      readonly data: {
        readonly sessionId: string;
        readonly deviceId: string;
        readonly reason: string;
        readonly at: string;
      };
    }
  | {
      readonly type: 'CommandIssued';
      readonly data: {
        readonly commandId: string;
        readonly line: string;
        readonly name: string;
        readonly parameters: Readonly<Record<string, string | number>>;
        readonly flags: readonly string[];
        readonly output: 'table' | 'json';
        readonly redirect: string | null;
        readonly background: boolean;
        readonly runsOn: 'server' | 'device';
        readonly startWithin: number;
        readonly timeLimit: number;
        readonly requestHash: string;
        /** The library file that the command brings to the device, as it was then. */
        readonly libraryFile?: {
          readonly name: string;
          readonly size: number;
          readonly sha256: string;
        };
        /** The signed command (compact JWS) that the device gets; null for a command that needs no device. */
        readonly signed: string | null;
        readonly issuedBy: string;
        readonly issuedAt: string;
      };
    }
  | {
      readonly type: 'CommandStarted';
      readonly data: FromDevice & {
        readonly commandId: string;
        /** SHA-256, hex, of the signed command that the device runs. */
        readonly commandHash: string;
        /** By the device's clock: shown, never compared. */
        readonly deviceTime: string;
        readonly at: string;
      };
    }
  | {
      readonly type: 'CommandOutputRecorded';
      readonly data: FromDevice & {
        readonly commandId: string;
        /** 1-based, without holes per command. */
        readonly part: number;
        readonly stream: 'result' | 'stdout' | 'stderr';
        /** Position of this part's first byte in the command's output. */
        readonly offset: number;
        readonly size: number;
        readonly sha256: string;
        /** Up to 8 KB travel in the event; more lies in the blob at `offset`. */
        readonly inline: Text | null;
        readonly blob: string | null;
      };
    }
  | {
      readonly type: 'CommandSentToBackground';
      readonly data: { readonly commandId: string; readonly by: string; readonly at: string };
    }
  | {
      readonly type: 'CommandBroughtToForeground';
      readonly data: { readonly commandId: string; readonly by: string; readonly at: string };
    }
  | {
      readonly type: 'CommandCancelRequested';
      readonly data: {
        readonly commandId: string;
        readonly reason: CancelReason;
        readonly by: string;
        readonly at: string;
      };
    }
  | {
      readonly type: 'CommandCancelReached';
      readonly data: FromDevice & { readonly commandId: string; readonly at: string };
    }
  | { readonly type: 'CommandCompleted'; readonly data: FromDevice & CommandResult }
  | { readonly type: 'CommandFailed'; readonly data: FromDevice & CommandResult }
  | { readonly type: 'CommandCancelled'; readonly data: FromDevice & CommandResult }
  | { readonly type: 'CommandTimedOut'; readonly data: FromDevice & CommandResult }
  | {
      readonly type: 'CommandLost';
      readonly data: FromDevice & {
        readonly commandId: string;
        readonly reason: LostReason;
        readonly message: string;
        readonly at: string;
      };
    }
  | {
      readonly type: 'LateResultRecorded';
      readonly data: FromDevice & {
        readonly commandId: string;
        readonly kind: string;
        readonly state: string | null;
        readonly at: string;
      };
    }
  | {
      /** Detailed logging on the device went on or off; it is on as long as the command runs. */
      readonly type: 'TraceChanged';
      readonly data: FromDevice & {
        readonly commandId: string;
        readonly tracing: boolean;
        readonly at: string;
      };
    }
  | { readonly type: 'FileCollected'; readonly data: FromDevice & CollectedFile }
  | { readonly type: 'FilePlaced'; readonly data: FromDevice & PlacedFile }
  | {
      readonly type: 'SequenceGapRecorded';
      readonly data: { readonly from: number; readonly to: number; readonly at: string };
    }
  | {
      readonly type: 'SequenceReused';
      readonly data: {
        readonly reusedSequence: number;
        /** First 32 digits of the hash of the message that was applied under this number; empty when that was forgotten. */
        readonly firstHash: string;
        /** The other one, kept verbatim: proof against the device that signed both. It is applied to nothing. */
        readonly second: DeviceMessageRecord;
        readonly at: string;
      };
    }
  | { readonly type: 'SessionDisconnected'; readonly data: { readonly by: string; readonly at: string } }
  | { readonly type: 'SessionExpired'; readonly data: { readonly idle: number; readonly at: string } }
  | {
      readonly type: 'SessionLost';
      readonly data: {
        readonly reason: 'SILENT' | 'SEQUENCE_REUSED';
        readonly silent: number;
        readonly at: string;
      };
    };

/** How a command ended, in the device's word; for a command that ran on the server, in the server's. */
export interface CommandResult {
  readonly commandId: string;
  readonly exitCode: number | null;
  /** Seconds, on the executor's monotonic clock; 0 when it never started. */
  readonly duration: number;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** The working directory after the command, when it changed. */
  readonly directory: string | null;
  /** True when no process of the command is left on the device; null when none was ever started. */
  readonly processesGone: boolean | null;
  readonly at: string;
}

export interface CollectedFile {
  readonly commandId: string;
  readonly fileId: string;
  readonly name: string;
  readonly path: Text;
  readonly size: number;
  readonly sha256: string;
  /** Of the blob right after its commit: a later read with If-Match shows whether it was replaced. */
  readonly etag: string;
  readonly blob: string;
  readonly at: string;
}

/** A library file that lies on the device now. */
export interface PlacedFile {
  readonly commandId: string;
  readonly name: string;
  readonly path: Text;
  readonly size: number;
  readonly sha256: string;
  /** It stays when the agent restarts. */
  readonly kept: boolean;
  readonly at: string;
}

export type SessionEventType = SessionEvent['type'];
