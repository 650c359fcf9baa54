import type { Services } from '../services.ts';
import { onSession } from '../streams/streams.ts';
import { findSession } from './findSession.ts';
import { json, type Route, signedIn, uuidParameter } from './route.ts';
import { commandResource } from './sessionResource.ts';

/** Sends a foreground command to the background, so that another one can be issued. */
export const backgroundCommand = (services: Services): Route => ({
  name: 'backgroundCommand',
  method: 'POST',
  path: 'sessions/{sessionId}/commands/{commandId}/background',
  handle: signedIn(services.tokens, ['Basic'], async (signed) => {
    const { tenantId, actor } = signed.caller;
    const { sessionId, head: found } = await findSession(services, signed);
    const commandId = uuidParameter(signed.request, 'commandId', 'COMMAND_UNKNOWN');
    await onSession(
      services,
      tenantId,
      sessionId,
      signed.metadata(commandId),
      (now) => ({ type: 'SendToBackground', commandId, by: actor.id, now }),
      found,
    );
    return json(200, await commandResource(services, tenantId, sessionId, commandId));
  }),
});
