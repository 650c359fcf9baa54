import { DomainError } from '../../domain/domainError.ts';
import type { LibraryUploadState } from '../../domain/library/index.ts';
import type { Services } from '../services.ts';
import { addLibraryFile } from '../streams/libraryFiles.ts';
import { onLibraryUpload, readLibraryUpload } from '../streams/streams.ts';

/**
 * Takes a submitted upload away from its ticket, hashes it, keeps it under its hash and adds it to the library. May run any number
 * of times, also side by side: every step is harmless when repeated, and the upload ends in one state.
 */
export const checkLibraryUpload =
  (services: Services) =>
  async ({ tenantId, uploadId }: { readonly tenantId: string; readonly uploadId: string }): Promise<void> => {
    const { state } = await readLibraryUpload(services, tenantId, uploadId);
    if (state.status !== 'checking') return;
    const metadata = {
      actor: { kind: 'user' as const, id: state.by, name: state.byName },
      correlationId: uploadId,
      causationId: uploadId,
      traceparent: null,
    };
    const refusal = await refusalOf(services, tenantId, state, metadata);
    await onLibraryUpload(services, tenantId, uploadId, metadata, (now) =>
      refusal === undefined
        ? { type: 'AcceptUpload', now }
        : { type: 'RefuseUpload', code: refusal.code, message: refusal.message, now },
    );
    if (refusal?.code !== 'UPLOAD_MISSING') await services.libraryBlobs.empty(tenantId, uploadId);
  };

/** Undefined when the library has the file now. */
const refusalOf = async (
  services: Services,
  tenantId: string,
  upload: Exclude<LibraryUploadState, { status: 'none' }>,
  metadata: Parameters<typeof addLibraryFile>[2],
): Promise<DomainError | undefined> => {
  const { uploadId, size } = upload;
  const frozen = await services.libraryBlobs.freeze(tenantId, uploadId);
  if (frozen === undefined) {
    return new DomainError(
      'UPLOAD_MISSING',
      'Nothing was uploaded, or its blocks were not committed. Upload it again.',
    );
  }
  const isWhole =
    frozen.size === size && (await services.libraryBlobs.keep(tenantId, upload, await frozen.content()));
  if (!isWhole) {
    return new DomainError(
      'CONTENT_MISMATCH',
      'What was uploaded is not what was announced: its size or its hash differs. It was not kept.',
    );
  }
  try {
    await addLibraryFile(services, tenantId, metadata, {
      file: upload,
      requestId: uploadId,
      requestHash: upload.requestHash,
      by: upload.by,
      byName: upload.byName,
    });
    return undefined;
  } catch (error) {
    if (error instanceof DomainError && error.code !== 'STORE_BUSY') return error;
    throw error;
  }
};
