import type { Text } from './events.ts';

/** What a device says about a live session, after its signature and shape were checked at the edge. */
export type SessionMessage =
  | {
      readonly kind: 'session.opened';
      readonly body: {
        readonly agentVersion: string;
        readonly platform: string;
        readonly hostName: string;
        readonly osVersion: string;
        readonly capabilities: readonly string[];
        readonly directory: string;
        readonly resumed: boolean;
      };
    }
  | { readonly kind: 'session.refused'; readonly body: { readonly code: string; readonly message: string } }
  | { readonly kind: 'command.started'; readonly body: StartedBody }
  | { readonly kind: 'command.output'; readonly body: OutputBody }
  | { readonly kind: 'command.ended'; readonly body: EndedBody };

export interface StartedBody {
  readonly commandId: string;
  readonly commandHash: string;
  readonly deviceTime: string;
}

export interface OutputBody {
  readonly commandId: string;
  readonly parts: readonly OutputPart[];
}

export interface OutputPart {
  readonly part: number;
  readonly stream: 'result' | 'stdout' | 'stderr';
  readonly offset: number;
  readonly size: number;
  readonly sha256: string;
  readonly inline: Text | null;
  readonly blob: string | null;
}

export interface EndedBody {
  readonly commandId: string;
  /** `Lost` is the device's word that the agent was gone while the command ran. */
  readonly state: 'Completed' | 'Failed' | 'Cancelled' | 'TimedOut' | 'Lost';
  /** Present when the start was not reported before: a command that ends quickly is one message. */
  readonly started: StartedBody | null;
  readonly output: readonly OutputPart[];
  readonly cancelReached: boolean;
  readonly exitCode: number | null;
  readonly duration: number;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly directory: string | null;
  readonly processesGone: boolean | null;
  readonly files: readonly {
    readonly fileId: string;
    readonly name: string;
    readonly path: Text;
    readonly size: number;
    readonly sha256: string;
    readonly etag: string;
    readonly blob: string;
  }[];
  readonly placed?:
    | readonly {
        readonly name: string;
        readonly path: Text;
        readonly size: number;
        readonly sha256: string;
        readonly kept: boolean;
      }[]
    | undefined;
}

/** One verified message: `hash` is the SHA-256 (hex) of what was signed. */
export type VerifiedMessage = SessionMessage & {
  readonly run: string;
  readonly sequence: number;
  readonly hash: string;
};
