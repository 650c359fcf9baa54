import { DomainError } from '../../domain/domainError.ts';
import type { DomainEvent, EventEnvelope } from '../../domain/envelope.ts';
import {
  type AppendMetadata,
  type EventStore,
  type Head,
  OutcomeUnknown,
  type StreamFold,
} from '../../domain/eventStore.ts';

/** Time and chance, as arguments. */
export interface Surroundings {
  /** UTC ISO 8601. */
  readonly now: () => string;
  /** Milliseconds, monotonic. */
  readonly elapsed: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** Says that a step between two effects was reached: fault tests end the process there. */
  readonly passes: (point: CrashPoint) => void;
}

/** The places where a process may die with one effect done and the next not begun. */
export type CrashPoint =
  | 'slot-taken'
  | 'session-requested'
  | 'command-appended'
  | 'command-published'
  | 'session-ended'
  | 'message-appended';

export interface Decision<State> {
  readonly head: Head<State>;
  /** Empty when there was nothing to do. */
  readonly events: readonly EventEnvelope[];
  /** The state that was decided on. */
  readonly before: State;
}

const retryForMs = 5_000;
const leastTries = 20;
const longestPauseMs = 250;

/** The stream kept moving, or the store kept failing to say what happened. Nothing is known to be wrong: try again. */
export class StoreBusy extends DomainError {
  constructor(streamId: string, cause: unknown) {
    super('STORE_BUSY', 'The store is busy. Send the same request again with the same Idempotency-Key.', {
      streamId,
    });
    this.cause = cause;
  }
}

/**
 * Reads the head, decides, appends; on a conflict or an unknown outcome decides again on the new head, with full jitter, for
 * 5 s and at least 20 tries. `decide` must give nothing for what already happened: that makes a repeat after an unknown outcome safe.
 */
export const decideAndAppend = async <State, Event extends DomainEvent>(
  { store, surroundings }: { readonly store: EventStore; readonly surroundings: Surroundings },
  stream: {
    readonly tenantId: string;
    readonly streamId: string;
    readonly fold: StreamFold<State>;
    /** A head that was just read: saves reading it again for the first try. */
    readonly head?: Head<State>;
  },
  metadata: Omit<AppendMetadata, 'now'>,
  decide: (state: State, now: string, head: Head<State>) => readonly Event[] | Promise<readonly Event[]>,
): Promise<Decision<State>> => {
  const { tenantId, streamId, fold } = stream;
  const started = surroundings.elapsed();
  let cause: unknown;
  for (let tries = 1; tries <= leastTries || surroundings.elapsed() - started < retryForMs; tries += 1) {
    const head = (tries === 1 ? stream.head : undefined) ?? (await store.head(tenantId, streamId, fold));
    const clock = surroundings.now();
    const now = clock > head.recordedAt ? clock : head.recordedAt;
    const events = await decide(head.state, now, head);
    if (events.length === 0) return { head, events: [], before: head.state };
    try {
      const result = await store.append(tenantId, streamId, head, events, { ...metadata, now }, fold);
      if (result.ok) return { head: result.head, events: result.events, before: head.state };
    } catch (error) {
      if (!(error instanceof OutcomeUnknown)) throw error;
      cause = error;
    }
    await surroundings.sleep(surroundings.random() * Math.min(longestPauseMs, 5 * 2 ** tries));
  }
  throw new StoreBusy(streamId, cause);
};
