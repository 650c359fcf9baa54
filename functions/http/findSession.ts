import { DomainError } from '../../domain/domainError.ts';
import type { Head } from '../../domain/eventStore.ts';
import type { SessionState } from '../../domain/session/index.ts';
import type { Services } from '../services.ts';
import { readSession } from '../streams/streams.ts';
import { type Signed, uuidParameter } from './route.ts';

/** The session named in the path. A foreign one is answered exactly like one that does not exist: other tenants have other streams. */
export const findSession = async (
  services: Services,
  { request, caller }: Signed,
): Promise<{ readonly sessionId: string; readonly head: Head<SessionState> }> => {
  const sessionId = uuidParameter(request, 'sessionId', 'SESSION_UNKNOWN');
  const head = await readSession(services, caller.tenantId, sessionId);
  if (head.state.status === 'none')
    throw new DomainError('SESSION_UNKNOWN', 'There is no such session, or you may not see it.');
  return { sessionId, head };
};
