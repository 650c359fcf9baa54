import type { Services } from '../services.ts';
import { findSession } from './findSession.ts';
import { json, type Route, signedIn } from './route.ts';
import { eventsOfType } from './sessionEvents.ts';

/** Files that were collected in a session. */
export const listFiles = (services: Services): Route => ({
  name: 'listFiles',
  method: 'GET',
  path: 'sessions/{sessionId}/files',
  handle: signedIn(services.tokens, ['Basic', 'History.Read'], async (signed) => {
    const { sessionId } = await findSession(services, signed);
    const files: object[] = [];
    for await (const { data } of eventsOfType(services, signed.caller.tenantId, sessionId, 'FileCollected')) {
      const { commandId, fileId, name, path, size, sha256, at } = data;
      files.push({ commandId, fileId, name, path, size, sha256, collectedAt: at });
    }
    return json(200, { files });
  }),
});
