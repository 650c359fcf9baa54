import { randomUUID } from 'node:crypto';
import { unknownFile } from '../../domain/library/index.ts';
import type { Services } from '../services.ts';
import { deleteLibraryFile, type LibraryFile, readLibraryFile } from '../streams/libraryFiles.ts';
import { readSettingsOf, recordAccess } from '../streams/streams.ts';
import { libraryFileResource, libraryFileResources } from './libraryResource.ts';
import { idempotencyKeyOf, json, type Route, type Signed, signedIn } from './route.ts';

const readers = ['Basic', 'Library.Manage'] as const;
const ticketLifetime = 15 * 60;

/** The file named in the path. Another tenant's is answered like none: each tenant has a library of its own. */
const findFile = async (services: Services, { request, caller }: Signed): Promise<LibraryFile> => {
  const { name = '' } = request.params;
  const file = await readLibraryFile(services, caller.tenantId, name);
  if (file === undefined) throw unknownFile(name);
  return file;
};

export const listLibraryFiles = (services: Services): Route => ({
  name: 'listLibraryFiles',
  method: 'GET',
  path: 'library/files',
  handle: signedIn(services.tokens, readers, async ({ caller }) =>
    json(200, { files: await libraryFileResources(services, caller.tenantId) }),
  ),
});

export const getLibraryFile = (services: Services): Route => ({
  name: 'getLibraryFile',
  method: 'GET',
  path: 'library/files/{name}',
  handle: signedIn(services.tokens, readers, async (signed) => {
    const file = await findFile(services, signed);
    const { state: settings } = await readSettingsOf(services, signed.caller.tenantId);
    return json(200, libraryFileResource(file, settings));
  }),
});

/** A short-lived address of the content, and the hash to check it by. Every one is recorded. */
export const downloadLibraryFile = (services: Services): Route => ({
  name: 'downloadLibraryFile',
  method: 'GET',
  path: 'library/files/{name}/content',
  handle: signedIn(services.tokens, readers, async (signed) => {
    const { tenantId, actor } = signed.caller;
    const { name, size, sha256, blob } = await findFile(services, signed);
    const { url, expiresAt } = await services.blobs.downloadUrl(blob, name, ticketLifetime);
    await recordAccess(services, tenantId, signed.metadata(sha256), (at) => ({
      type: 'LibraryFileDownloadGranted',
      data: { name, sha256, by: actor.id, expiresAt, at },
    }));
    return json(200, { name, size, sha256, url, expiresAt });
  }),
});

/** The content stays: commands that run have it, and the history names it. */
export const deleteFile = (services: Services): Route => ({
  name: 'deleteLibraryFile',
  method: 'DELETE',
  path: 'library/files/{name}',
  handle: signedIn(services.tokens, ['Library.Manage'], async ({ request, caller, metadata }) => {
    const { tenantId, actor } = caller;
    const { name = '' } = request.params;
    // With a key a repeat is answered like the first one; without one it finds nothing any more.
    const requestId = request.headers.has('idempotency-key') ? idempotencyKeyOf(request) : randomUUID();
    const deletion = { name, requestId, by: actor.id, byName: actor.name };
    await deleteLibraryFile(services, tenantId, metadata(requestId), deletion);
    return json(200, { name, deleted: true });
  }),
});
