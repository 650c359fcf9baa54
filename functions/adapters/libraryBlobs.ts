import { createHash, randomUUID } from 'node:crypto';
import type { BlobServiceClient, BlockBlobClient } from '@azure/storage-blob';
import type { Blobs } from './blobs.ts';
import { statusOf } from './statusOf.ts';

const container = 'library';
const blockSize = 8 * 1024 * 1024;
const forEver = -1;

/** Content whose upload is over: what was sent by ticket and may not change any more. */
export interface FrozenUpload {
  readonly size: number;
  readonly content: () => Promise<AsyncIterable<Uint8Array>>;
}

const contentName = (tenantId: string, sha256: string): string => `files/${tenantId}/${sha256}`;
const uploadName = (tenantId: string, uploadId: string): string => `uploads/${tenantId}/${uploadId}`;

/** `container/name` of the content with this hash. */
export const libraryBlob = (tenantId: string, sha256: string): string =>
  `${container}/${contentName(tenantId, sha256)}`;

/**
 * The content of library files, one blob per tenant and hash, and the blobs that uploads by ticket fill. What a ticket opens is
 * never what the library keeps: content is copied under its hash while it is hashed.
 */
export class LibraryBlobs {
  readonly #service: BlobServiceClient;
  readonly #blobs: Blobs;

  constructor(service: BlobServiceClient, blobs: Blobs) {
    this.#service = service;
    this.#blobs = blobs;
  }

  /**
   * Keeps content under its hash, with no more than one block in memory. False, and nothing is kept, when it is not of this size
   * or has not this hash. Content that is there already stays as it is: it can only be the same.
   */
  async keep(
    tenantId: string,
    { size, sha256 }: { readonly size: number; readonly sha256: string },
    content: AsyncIterable<Uint8Array>,
  ): Promise<boolean> {
    const target = this.#client(contentName(tenantId, sha256));
    // Blocks of another try, maybe with other content, must not get into this one: its blocks have names of their own.
    const attempt = randomUUID();
    const ids: string[] = [];
    const hash = createHash('sha256');
    let received = 0;
    for await (const block of inBlocks(content)) {
      received += block.length;
      if (received > size) return false;
      hash.update(block);
      const id = Buffer.from(`${attempt}-${String(ids.length).padStart(6, '0')}`).toString('base64');
      await target.stageBlock(id, block, block.length);
      ids.push(id);
    }
    if (received !== size || hash.digest('hex') !== sha256) return false;
    try {
      await target.commitBlockList(ids, {
        conditions: { ifNoneMatch: '*' },
        blobHTTPHeaders: { blobContentType: 'application/octet-stream' },
      });
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
    return true;
  }

  /** A ticket that can make and write exactly the one blob of this upload. `lifetime`: seconds. */
  uploadUrl(
    tenantId: string,
    uploadId: string,
    lifetime: number,
  ): Promise<{ readonly url: string; readonly expiresAt: string }> {
    return this.#blobs.ticketUrl(container, uploadName(tenantId, uploadId), 'cw', lifetime);
  }

  /** The blocks that wait to be made a blob: an upload goes on after them. */
  async waitingBlocks(
    tenantId: string,
    uploadId: string,
  ): Promise<readonly { readonly id: string; readonly size: number }[]> {
    try {
      const { uncommittedBlocks = [] } = await this.#client(uploadName(tenantId, uploadId)).getBlockList(
        'uncommitted',
      );
      return uncommittedBlocks.map(({ name, size }) => ({ id: name, size }));
    } catch (error) {
      if (statusOf(error) === 404) return [];
      throw error;
    }
  }

  /**
   * Takes the blob of an upload away from its ticket: leased for ever, it can be written by nobody else. Undefined when there is
   * none. May be repeated.
   */
  async freeze(tenantId: string, uploadId: string): Promise<FrozenUpload | undefined> {
    const client = this.#client(uploadName(tenantId, uploadId));
    try {
      await client.getBlobLeaseClient(uploadId).acquireLease(forEver);
      const { contentLength = 0, etag = '' } = await client.getProperties();
      return {
        size: contentLength,
        content: async () => {
          const { readableStreamBody } = await client.download(0, undefined, {
            conditions: { ifMatch: etag },
            maxRetryRequests: 5,
          });
          if (readableStreamBody === undefined) throw new Error('The blob has no content.');
          return readableStreamBody as AsyncIterable<Uint8Array>;
        },
      };
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  /** Frees the space of an upload. Its blob stays, empty and leased, so that its ticket goes on opening nothing. */
  async empty(tenantId: string, uploadId: string): Promise<void> {
    await this.#client(uploadName(tenantId, uploadId)).upload('', 0, { conditions: { leaseId: uploadId } });
  }

  #client(name: string): BlockBlobClient {
    return this.#service.getContainerClient(container).getBlockBlobClient(name);
  }
}

async function* inBlocks(content: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of content) {
    for (let rest = chunk; rest.length > 0;) {
      const part = rest.subarray(0, blockSize - size);
      chunks.push(part);
      size += part.length;
      rest = rest.subarray(part.length);
      if (size === blockSize) {
        yield Buffer.concat(chunks);
        chunks = [];
        size = 0;
      }
    }
  }
  if (size > 0) yield Buffer.concat(chunks);
}

const isConflict = (error: unknown): boolean => [409, 412].includes(statusOf(error) ?? 0);
