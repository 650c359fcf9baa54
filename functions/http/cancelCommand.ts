import type { Services } from '../services.ts';
import { sendCancel } from '../streams/delivery.ts';
import { onSession } from '../streams/streams.ts';
import { findSession } from './findSession.ts';
import { json, type Route, signedIn, uuidParameter } from './route.ts';
import { commandResource } from './sessionResource.ts';

/** Asks the device to stop a command. It has stopped when its state says so; a command that ended before stays as it ended. */
export const cancelCommand = (services: Services): Route => ({
  name: 'cancelCommand',
  method: 'POST',
  path: 'sessions/{sessionId}/commands/{commandId}/cancel',
  handle: signedIn(services.tokens, ['Basic'], async (signed) => {
    const { tenantId, actor } = signed.caller;
    const { sessionId, head: found } = await findSession(services, signed);
    const commandId = uuidParameter(signed.request, 'commandId', 'COMMAND_UNKNOWN');
    const { head } = await onSession(
      services,
      tenantId,
      sessionId,
      signed.metadata(commandId),
      (now) => ({ type: 'RequestCancel', commandId, reason: 'user', by: actor.id, now }),
      found,
    );
    if (head.state.open[commandId] !== undefined) {
      // Asked for is asked for: when this fails the supervisor sends it.
      await sendCancel(services, tenantId, head.state, commandId, 'user').catch((error: unknown) =>
        signed.context.warn(`command ${commandId}: the cancel is left to the supervisor: ${String(error)}`),
      );
    }
    return json(202, await commandResource(services, tenantId, sessionId, commandId));
  }),
});
