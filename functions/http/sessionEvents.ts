import type { SessionEvent } from '../../domain/session/index.ts';
import { sessionStream } from '../../domain/session/index.ts';
import type { Services } from '../services.ts';

const pageSize = 500;

/** All events of a session of one type, in order. */
export async function* eventsOfType<Type extends SessionEvent['type']>(
  services: Services,
  tenantId: string,
  sessionId: string,
  type: Type,
): AsyncGenerator<Extract<SessionEvent, { type: Type }>> {
  for (let after = 0; ;) {
    const page = await services.store.read(tenantId, sessionStream(sessionId), after, pageSize);
    for (const envelope of page) {
      if (envelope.type === type)
        yield { type, data: envelope.data } as Extract<SessionEvent, { type: Type }>;
      after = envelope.version;
    }
    if (page.length < pageSize) return;
  }
}
