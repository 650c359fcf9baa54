import { DomainError } from '../../domain/domainError.ts';
import type { Services } from '../services.ts';
import { recordAccess } from '../streams/streams.ts';
import { findSession } from './findSession.ts';
import { json, type Route, signedIn } from './route.ts';
import { eventsOfType } from './sessionEvents.ts';

const validFor = 15 * 60;

/** A short-lived address from which one collected file can be saved, and the hash to check it by. Every one is recorded. */
export const downloadFile = (services: Services): Route => ({
  name: 'downloadFile',
  method: 'GET',
  path: 'sessions/{sessionId}/files/{fileId}/download',
  handle: signedIn(services.tokens, ['Basic', 'History.Read'], async (signed) => {
    const { tenantId, actor } = signed.caller;
    const { sessionId } = await findSession(services, signed);
    const { fileId } = signed.request.params;
    for await (const { data } of eventsOfType(services, tenantId, sessionId, 'FileCollected')) {
      if (data.fileId !== fileId) continue;
      const etag = await services.blobs.etagOf(data.blob);
      if (etag === null)
        throw new DomainError(
          'FILE_UNKNOWN',
          'The content of this file was erased. Its hash stays in the history.',
        );
      const { url, expiresAt } = await services.blobs.downloadUrl(data.blob, data.name, validFor);
      await recordAccess(services, tenantId, signed.metadata(data.fileId), (at) => ({
        type: 'FileDownloadGranted',
        data: { sessionId, fileId: data.fileId, sha256: data.sha256, by: actor.id, expiresAt, at },
      }));
      const { name, size, sha256 } = data;
      // The device may have missed the answer that told it the ETag.
      const replaced = data.etag !== '' && etag !== data.etag;
      return json(200, { fileId, name, size, sha256, url, expiresAt, replaced });
    }
    throw new DomainError('FILE_UNKNOWN', 'There is no such file in this session.');
  }),
});
