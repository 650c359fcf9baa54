import { libraryUploadRequest } from '../../contracts/http.ts';
import { DomainError } from '../../domain/domainError.ts';
import {
  type LibraryUploadState,
  libraryUploadFold,
  libraryUploadStream,
  refuseAddition,
} from '../../domain/library/index.ts';
import { effectiveLimits } from '../../domain/limits.ts';
import { canonicalForm, sha256 } from '../../evidence/canonical.ts';
import { supervisorInput } from '../adapters/supervisors.ts';
import { startUploadCheck } from '../adapters/uploadChecks.ts';
import type { Services } from '../services.ts';
import { checkedSignatures } from '../streams/libraryFiles.ts';
import { onLibraryUpload, readLibrary, readLibraryUpload, readSettingsOf } from '../streams/streams.ts';
import { libraryUploadResource } from './libraryResource.ts';
import {
  bodyOf,
  idempotencyKeyOf,
  json,
  numberFromQuery,
  type Route,
  signedIn,
  uuidParameter,
} from './route.ts';

const ticketLifetime = 60 * 60;
const longestWait = 60;
const lookEveryMs = 100;

/** A ticket for one new blob. The Idempotency-Key is the upload's id: sent again, the upload goes on with a fresh ticket. */
export const createLibraryUpload = (services: Services): Route => ({
  name: 'createLibraryUpload',
  method: 'POST',
  path: 'library/uploads',
  handle: signedIn(services.tokens, ['Library.Manage'], async ({ request, caller, metadata }) => {
    const { tenantId, actor } = caller;
    const uploadId = idempotencyKeyOf(request);
    const announced = await bodyOf(request, libraryUploadRequest);
    const { state: known } = await readLibraryUpload(services, tenantId, uploadId);
    if (known.status === 'none') {
      const [{ state: library }, { state: settings }] = await Promise.all([
        readLibrary(services, tenantId),
        readSettingsOf(services, tenantId),
      ]);
      // What would be refused in the end is refused before it is sent.
      refuseAddition(library, announced, effectiveLimits(settings.limits).libraryFile);
      checkedSignatures(announced, announced.signatures, settings);
    }
    const { head, events } = await onLibraryUpload(
      services,
      tenantId,
      uploadId,
      metadata(uploadId),
      (now) => ({
        type: 'RequestUpload',
        ...announced,
        uploadId,
        requestHash: sha256(canonicalForm({ ...announced, by: actor.id })),
        by: actor.id,
        byName: actor.name,
        now,
      }),
    );
    if (head.state.status !== 'open') {
      throw new DomainError(
        'UPLOAD_CLOSED',
        'This upload was completed: there is no ticket for it any more. Send a new key to upload anew.',
        { upload: head.state.status },
      );
    }
    const { url, expiresAt } = await services.libraryBlobs.uploadUrl(tenantId, uploadId, ticketLifetime);
    const blocks = events.length > 0 ? [] : await services.libraryBlobs.waitingBlocks(tenantId, uploadId);
    return json(events.length > 0 ? 201 : 200, {
      ...libraryUploadResource(head.state),
      url,
      expiresAt,
      blocks,
    });
  }),
});

export const getLibraryUpload = (services: Services): Route => ({
  name: 'getLibraryUpload',
  method: 'GET',
  path: 'library/uploads/{uploadId}',
  handle: signedIn(services.tokens, ['Library.Manage'], async ({ request, caller }) => {
    const uploadId = uuidParameter(request, 'uploadId', 'UPLOAD_UNKNOWN');
    const { state } = await readLibraryUpload(services, caller.tenantId, uploadId);
    return json(200, libraryUploadResource(state));
  }),
});

/**
 * Says that the content is there. From here on the ticket opens nothing; the content is checked outside of this request, whose
 * length it may not have. Asked again it makes sure that the check runs, and says how it stands.
 */
export const completeLibraryUpload = (services: Services): Route => ({
  name: 'completeLibraryUpload',
  method: 'POST',
  path: 'library/uploads/{uploadId}/complete',
  extraInputs: [supervisorInput],
  handle: signedIn(services.tokens, ['Library.Manage'], async ({ request, caller, context, metadata }) => {
    const { tenantId, actor } = caller;
    const uploadId = uuidParameter(request, 'uploadId', 'UPLOAD_UNKNOWN');
    const wait = numberFromQuery(request, 'wait', { least: 0, most: longestWait, otherwise: 0 });
    const { head } = await onLibraryUpload(services, tenantId, uploadId, metadata(uploadId), (now) => ({
      type: 'SubmitUpload',
      by: actor.id,
      now,
    }));
    if (head.state.status === 'checking') await startUploadCheck(context, tenantId, uploadId);
    const state = await settled(services, tenantId, uploadId, head.state, wait);
    return json(state.status === 'checking' ? 202 : 200, libraryUploadResource(state));
  }),
});

/** The upload when its check is over, or when the time is. The check runs elsewhere: the store is the meeting place. */
const settled = async (
  { store, surroundings }: Services,
  tenantId: string,
  uploadId: string,
  first: LibraryUploadState,
  wait: number,
): Promise<LibraryUploadState> => {
  const until = surroundings.elapsed() + wait * 1000;
  let state = first;
  while (state.status === 'checking' && surroundings.elapsed() < until) {
    await surroundings.sleep(lookEveryMs);
    ({ state } = await store.head(tenantId, libraryUploadStream(uploadId), libraryUploadFold));
  }
  return state;
};
