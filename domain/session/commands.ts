import type { Limits } from '../limits.ts';
import type { VerifiedMessage } from './deviceMessage.ts';
import type { CancelReason, CollectedFile, LostReason } from './events.ts';

/** What can be asked of a session. `now` is UTC ISO 8601 and already not before the newest event. */
export type SessionCommand =
  | {
      readonly type: 'RequestSession';
      readonly sessionId: string;
      readonly deviceId: string;
      readonly userId: string;
      readonly userName: string;
      readonly epoch: number;
      readonly reason: string;
      readonly platform: string;
      readonly limits: Limits;
      readonly requestHash: string;
      readonly now: string;
    }
  | {
      readonly type: 'AbandonSession';
      readonly sessionId: string;
      readonly deviceId: string;
      readonly reason: string;
      readonly now: string;
    }
  | { readonly type: 'DeclareUnanswered'; readonly now: string }
  | { readonly type: 'IssueCommand'; readonly command: IssuedCommand; readonly now: string }
  | {
      readonly type: 'AnswerCommand';
      readonly command: IssuedCommand;
      readonly answer: ServerAnswer;
      readonly now: string;
    }
  | {
      readonly type: 'RequestCancel';
      readonly commandId: string;
      readonly reason: CancelReason;
      readonly by: string;
      readonly now: string;
    }
  | {
      readonly type: 'SendToBackground';
      readonly commandId: string;
      readonly by: string;
      readonly now: string;
    }
  | { readonly type: 'Disconnect'; readonly by: string; readonly now: string }
  | { readonly type: 'Expire'; readonly now: string }
  | { readonly type: 'DeclareSessionLost'; readonly silent: number; readonly now: string }
  | {
      readonly type: 'DeclareCommandLost';
      readonly commandId: string;
      readonly reason: LostReason;
      readonly now: string;
    }
  | { readonly type: 'ApplyMessage'; readonly message: VerifiedMessage; readonly now: string };

export interface IssuedCommand {
  readonly commandId: string;
  readonly line: string;
  readonly name: string;
  readonly parameters: Readonly<Record<string, string | number>>;
  readonly flags: readonly string[];
  readonly output: 'table' | 'json';
  readonly redirect: string | null;
  readonly background: boolean;
  readonly timeLimit: number;
  readonly requestHash: string;
  readonly libraryFile?: { readonly name: string; readonly size: number; readonly sha256: string };
  readonly signed: string | null;
  readonly by: string;
}

/** The result of a command that needs no device; it is issued and ends in one append. */
export interface ServerAnswer {
  readonly error: { readonly code: string; readonly message: string } | null;
  /** JSON lines, in the event or, beyond 8 KB, in a blob; null when there is nothing to show. */
  readonly output: {
    readonly inline: string | null;
    readonly blob: string | null;
    readonly size: number;
    readonly sha256: string;
  } | null;
  /** The output as a file, for a line that keeps it. */
  readonly file: Omit<CollectedFile, 'commandId' | 'at'> | null;
  /** Command that comes to the foreground (`fg`). */
  readonly foreground: string | null;
}
