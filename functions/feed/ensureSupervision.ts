import type { InvocationContext } from '@azure/functions';
import { dueDecisions, isSettled } from '../../domain/session/index.ts';
import { startSupervisor, supervisionOf, wakeSupervisor } from '../adapters/supervisors.ts';
import type { Services } from '../services.ts';
import { readSession } from '../streams/streams.ts';
import { byStream } from './projectViews.ts';

/** A supervisor that wakes this much later than it should is woken. */
const toleratedMs = 2_000;

/**
 * Makes sure, after every append to a session, that its supervisor exists and wakes in time. It looks at the current head,
 * never at the event alone, so that an old or repeated delivery does no harm.
 */
export const ensureSupervision =
  (services: Services) =>
  async (documents: unknown[], context: InvocationContext): Promise<void> => {
    for (const [first] of byStream(documents).values()) {
      if (first?.streamId.startsWith('session-')) {
        await ensureFor(services, first.tenantId, first.streamId.slice('session-'.length), context);
      }
    }
  };

export const ensureFor = async (
  services: Services,
  tenantId: string,
  sessionId: string,
  context: InvocationContext,
): Promise<void> => {
  const [{ state }, supervision] = await Promise.all([
    readSession(services, tenantId, sessionId),
    supervisionOf(context, sessionId),
  ]);
  if (state.status === 'none') return;
  if (!supervision.running) {
    if (!isSettled(state)) await startSupervisor(context, tenantId, sessionId);
    return;
  }
  const heardAt = await services.presence.heardAt(tenantId, state.deviceId, sessionId);
  const { nextLook, decisions } = dueDecisions(state, heardAt, services.surroundings.now());
  const isLate =
    supervision.nextLook !== null && nextLook !== null && supervision.nextLook > nextLook + toleratedMs;
  if (isSettled(state) || state.status === 'ended' || decisions.length > 0 || isLate)
    await wakeSupervisor(context, sessionId);
};
