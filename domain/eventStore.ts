import type { DomainEvent, EventEnvelope, EventMetadata } from './envelope.ts';

/** The newest word on a stream: enough to decide without reading its events. */
export interface Head<State> {
  readonly version: number;
  readonly hash: string;
  readonly recordedAt: string;
  readonly state: State;
  /** Concurrency token of the store; null when the stream does not exist. */
  readonly etag: string | null;
}

export type AppendResult<State> =
  | { readonly ok: true; readonly head: Head<State>; readonly events: readonly EventEnvelope[] }
  | { readonly ok: false; readonly reason: 'version-conflict' };

/** How the store folds a stream's head. `foldVersion` changes whenever the shape of `State` does: older heads are then folded anew. */
export interface StreamFold<State> {
  readonly foldVersion: number;
  readonly initialState: State;
  readonly evolve: (state: State, event: DomainEvent) => State;
}

/** What the caller says about an append; the store adds the recording time that keeps a stream's times in order. */
export type AppendMetadata = Omit<EventMetadata, 'recordedAt'> & { readonly now: string };

/**
 * The port to the event store. One transactional append per call; a conflict is a value; an append whose outcome is unknown
 * throws {@link OutcomeUnknown}: read the head and decide again.
 */
export interface EventStore {
  /** Version 0 and the initial state when the stream does not exist. */
  head<State>(tenantId: string, streamId: string, fold: StreamFold<State>): Promise<Head<State>>;
  /** Undefined when the head is still the one with `etag`: a look that costs next to nothing. */
  headIfChanged<State>(
    tenantId: string,
    streamId: string,
    fold: StreamFold<State>,
    etag: string | null,
  ): Promise<Head<State> | undefined>;
  /** Events with version > `after`, in order, at most `limit`. */
  read(tenantId: string, streamId: string, after: number, limit: number): Promise<readonly EventEnvelope[]>;
  /** The events of a stream whose data names this command, in order. */
  readAbout(tenantId: string, streamId: string, commandId: string): Promise<readonly EventEnvelope[]>;
  /** `head` is the one that was decided on; its version 0 means that the stream must not exist. There is no "any". */
  append<State>(
    tenantId: string,
    streamId: string,
    head: Head<State>,
    events: readonly (DomainEvent & { readonly schemaVersion?: number })[],
    metadata: AppendMetadata,
    fold: StreamFold<State>,
  ): Promise<AppendResult<State>>;
}

/** The store did not say whether the append happened. */
export class OutcomeUnknown extends Error {
  constructor(streamId: string, cause: unknown) {
    super(`The append to ${streamId} may or may not have happened: the store did not answer.`, { cause });
    this.name = 'OutcomeUnknown';
  }
}

export const limitsOfOneAppend = { events: 99, bytes: 1_500_000, headBytes: 256 * 1024 } as const;
