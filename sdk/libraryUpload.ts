import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type * as z from 'zod';
import type {
  LibraryFile,
  LibraryUpload,
  LibraryUploadTicket,
  libraryUploadRequest,
} from '../contracts/http.ts';
import { ApiError, UploadError } from './errors.ts';
import type { RetryPolicy } from './retry.ts';
import { sizeAndHashOf, type UploadOptions, uploadFile } from './upload.ts';

/** What may be said about a file that is added. */
export type Description = Omit<Partial<z.input<typeof libraryUploadRequest>>, 'size' | 'sha256'>;

export interface AddLibraryFileOptions extends UploadOptions {
  /** UUID. The same one again goes on with the same upload instead of beginning another. */
  readonly idempotencyKey?: string | undefined;
  /** Bytes up to which a file goes in one request, at most 50 MB. */
  readonly inOneRequestUpTo?: number | undefined;
}

/** The calls of the API that adding a file is made of. */
interface LibraryCalls {
  readonly put: (
    name: string,
    content: Uint8Array<ArrayBuffer>,
    described: Omit<Description, 'name'>,
    idempotencyKey: string,
  ) => Promise<LibraryFile>;
  readonly ticket: (
    request: z.input<typeof libraryUploadRequest>,
    uploadId: string,
  ) => Promise<LibraryUploadTicket>;
  readonly complete: (uploadId: string) => Promise<LibraryUpload>;
  readonly file: (name: string) => Promise<LibraryFile>;
  readonly fetch: typeof globalThis.fetch;
  readonly retry: RetryPolicy;
}

const usuallyInOneRequest = 4 * 1024 * 1024;

/** Adds the file at `path`: a small one in one request, a larger one by ticket, in blocks that go straight to the store. */
export const addLibraryFile = async (
  path: string,
  { name = basename(path), ...described }: Description,
  options: AddLibraryFileOptions,
  calls: LibraryCalls,
): Promise<LibraryFile> => {
  const { idempotencyKey = crypto.randomUUID(), inOneRequestUpTo = usuallyInOneRequest } = options;
  const content = await sizeAndHashOf(path);
  if (content.size <= inOneRequestUpTo) {
    const file = await calls.put(name, await readFile(path), described, idempotencyKey);
    options.onProgress?.(content.size, content.size);
    return file;
  }
  const request = { name, ...content, ...described };
  const ticket = () => calls.ticket(request, idempotencyKey);
  try {
    const { fetch, retry } = calls;
    await uploadFile(await ticket(), path, options, { fetch, retry, renew: ticket });
  } catch (error) {
    // Completed by an earlier try, whose answer was lost: how it ended is asked below.
    if (!(error instanceof ApiError && error.code === 'UPLOAD_CLOSED')) throw error;
  }
  let upload = await calls.complete(idempotencyKey);
  while (upload.status === 'checking') {
    options.signal?.throwIfAborted();
    upload = await calls.complete(idempotencyKey);
  }
  if (upload.error !== null) throw new UploadError(upload.error.code, upload.error.message);
  return calls.file(name);
};
