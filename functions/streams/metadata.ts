import type { Actor } from '../../domain/envelope.ts';
import type { AppendMetadata } from '../../domain/eventStore.ts';

type Metadata = Omit<AppendMetadata, 'now'>;

export const system: Actor = { kind: 'system', id: 'live-response', name: 'Live Response' };

/** For decisions of the system itself; `cause` names the function that made them. */
export const bySystem = (cause: string): Metadata => ({
  actor: system,
  correlationId: cause,
  causationId: cause,
  traceparent: null,
});
