import type { Services } from '../services.ts';
import { findSession } from './findSession.ts';
import { json, type Route, signedIn } from './route.ts';
import { sessionResource } from './sessionResource.ts';

export const getSession = (services: Services): Route => ({
  name: 'getSession',
  method: 'GET',
  path: 'sessions/{sessionId}',
  handle: signedIn(services.tokens, ['Basic', 'History.Read'], async (signed) => {
    const { head } = await findSession(services, signed);
    return json(200, await sessionResource(services, signed.caller.tenantId, head));
  }),
});
