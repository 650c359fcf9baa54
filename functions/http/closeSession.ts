import { supervisorInput, wakeSupervisor } from '../adapters/supervisors.ts';
import type { Services } from '../services.ts';
import { sendClose } from '../streams/delivery.ts';
import { onSession, releaseSlot } from '../streams/streams.ts';
import { findSession } from './findSession.ts';
import { json, type Route, signedIn } from './route.ts';
import { sessionResource } from './sessionResource.ts';

/** Disconnects. Open commands are asked to stop and may still say how they ended. */
export const closeSession = (services: Services): Route => ({
  name: 'closeSession',
  method: 'DELETE',
  path: 'sessions/{sessionId}',
  extraInputs: [supervisorInput],
  handle: signedIn(services.tokens, ['Basic'], async (signed) => {
    const { caller, context, metadata } = signed;
    const { tenantId, actor } = caller;
    const { sessionId, head: found } = await findSession(services, signed);
    const { head } = await onSession(
      services,
      tenantId,
      sessionId,
      metadata(sessionId),
      (now) => ({ type: 'Disconnect', by: actor.id, now }),
      found,
    );
    services.surroundings.passes('session-ended');
    // The session has ended whatever fails now: its supervisor does the same again.
    const [released, sent, woken] = await Promise.allSettled([
      releaseSlot(services, tenantId, sessionId, head.state.end ?? 'Ended', metadata(sessionId)),
      sendClose(services, tenantId, head.state),
      wakeSupervisor(context, sessionId),
    ]);
    for (const outcome of [released, sent, woken]) {
      if (outcome.status === 'rejected')
        context.warn(`session ${sessionId}: left to its supervisor: ${String(outcome.reason)}`);
    }
    return json(200, await sessionResource(services, tenantId, head));
  }),
});
