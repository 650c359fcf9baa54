import { createHash } from 'node:crypto';
import type { HttpRequest } from '@azure/functions';
import type * as z from 'zod';
import { libraryFileDescription } from '../../contracts/http.ts';
import { DomainError } from '../../domain/domainError.ts';
import { refuseAddition, unknownFile } from '../../domain/library/index.ts';
import { effectiveLimits } from '../../domain/limits.ts';
import { canonicalForm, sha256 } from '../../evidence/canonical.ts';
import type { Services } from '../services.ts';
import { addLibraryFile, checkedSignatures, readLibraryFile } from '../streams/libraryFiles.ts';
import { readLibrary, readSettingsOf } from '../streams/streams.ts';
import { libraryFileResource } from './libraryResource.ts';
import { idempotencyKeyOf, json, type Route, signedIn } from './route.ts';

/** More than this goes by ticket: a request is held in memory and ends after 230 seconds. */
const largestBody = 50 * 1024 * 1024;
const descriptionHeader = 'x-library-file';

/** Adds a file whose content is the body of the request. What is said about it stands in a header: base64url of JSON. */
export const putLibraryFile = (services: Services): Route => ({
  name: 'putLibraryFile',
  method: 'PUT',
  path: 'library/files/{name}',
  handle: signedIn(services.tokens, ['Library.Manage'], async ({ request, caller, metadata }) => {
    const { tenantId, actor } = caller;
    const { name = '' } = request.params;
    const requestId = idempotencyKeyOf(request);
    const described = descriptionOf(request);
    const content = await contentOf(request);
    const file = { ...described, name, size: content.size, sha256: content.sha256 };
    const [{ state: library }, { state: settings }] = await Promise.all([
      readLibrary(services, tenantId),
      readSettingsOf(services, tenantId),
    ]);
    if (!library.recent.some((request) => request.requestId === requestId)) {
      // Before anything is stored.
      refuseAddition(library, file, effectiveLimits(settings.limits).libraryFile);
      checkedSignatures(file, described.signatures, settings);
      await services.libraryBlobs.keep(tenantId, file, content.chunks());
    }
    const { events } = await addLibraryFile(services, tenantId, metadata(requestId), {
      file,
      requestId,
      requestHash: sha256(canonicalForm({ ...file, by: actor.id })),
      by: actor.id,
      byName: actor.name,
    });
    const added = await readLibraryFile(services, tenantId, name);
    if (added === undefined) throw unknownFile(name);
    return json(events.length > 0 ? 201 : 200, libraryFileResource(added, settings));
  }),
});

const descriptionOf = (request: HttpRequest): z.infer<typeof libraryFileDescription> => {
  const header = request.headers.get(descriptionHeader);
  if (header === null) return libraryFileDescription.parse({});
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(header, 'base64url').toString());
  } catch {
    throw new DomainError('BODY_INVALID', `The header ${descriptionHeader} is not base64url of JSON.`);
  }
  return libraryFileDescription.parse(value);
};

const contentOf = async (
  request: HttpRequest,
): Promise<{
  readonly size: number;
  readonly sha256: string;
  readonly chunks: () => AsyncGenerator<Uint8Array>;
}> => {
  const parts: Uint8Array[] = [];
  const hash = createHash('sha256');
  let size = 0;
  for await (const part of request.body ?? []) {
    const bytes = part as Uint8Array;
    size += bytes.length;
    if (size > largestBody) {
      throw new DomainError(
        'LIBRARY_FILE_TOO_LARGE',
        `At most ${largestBody} bytes can be sent in one request. Ask for an upload ticket for a larger file.`,
        { limit: largestBody },
      );
    }
    hash.update(bytes);
    parts.push(bytes);
  }
  return {
    size,
    sha256: hash.digest('hex'),
    chunks: async function* () {
      yield* parts;
    },
  };
};
