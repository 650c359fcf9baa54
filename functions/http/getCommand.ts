import type { Services } from '../services.ts';
import { findSession } from './findSession.ts';
import { json, type Route, signedIn, uuidParameter } from './route.ts';
import { commandResource } from './sessionResource.ts';

/** A command as its events tell it: never behind. */
export const getCommand = (services: Services): Route => ({
  name: 'getCommand',
  method: 'GET',
  path: 'sessions/{sessionId}/commands/{commandId}',
  handle: signedIn(services.tokens, ['Basic', 'History.Read'], async (signed) => {
    const { sessionId } = await findSession(services, signed);
    const commandId = uuidParameter(signed.request, 'commandId', 'COMMAND_UNKNOWN');
    return json(200, await commandResource(services, signed.caller.tenantId, sessionId, commandId));
  }),
});
