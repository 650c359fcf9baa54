import { keptOutputId } from '../../domain/catalogue/index.ts';
import type { Services } from '../services.ts';
import { findSession } from './findSession.ts';
import { json, type Route, signedIn } from './route.ts';
import { eventsOfType } from './sessionEvents.ts';

/** Files that were collected in a session, and output that was kept as a file. */
export const listFiles = (services: Services): Route => ({
  name: 'listFiles',
  method: 'GET',
  path: 'sessions/{sessionId}/files',
  handle: signedIn(services.tokens, ['Basic', 'History.Read'], async (signed) => {
    const { sessionId } = await findSession(services, signed);
    const files: object[] = [];
    for await (const { data } of eventsOfType(services, signed.caller.tenantId, sessionId, 'FileCollected')) {
      const { commandId, fileId, name, path, size, sha256, at } = data;
      const kind = fileId === keptOutputId(commandId) ? 'output' : 'file';
      files.push({ commandId, fileId, kind, name, path, size, sha256, collectedAt: at });
    }
    return json(200, { files });
  }),
});
