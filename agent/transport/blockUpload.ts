import { setTimeout as pause } from 'node:timers/promises';
import { AnonymousCredential, BlockBlobClient } from '@azure/storage-blob';
import { CommandFailure } from '../commands/command.ts';
import { pathOfBlob, statusOf, storeCodeOf, withTicket } from './blobAddress.ts';

const inFlight = 3;
const commitTries = 5;

/** Uploads one new blob in blocks, several at a time. */
export class BlockUpload {
  readonly blockSize = 8 * 1024 * 1024;
  readonly #client: BlockBlobClient;
  readonly #committer: BlockBlobClient;
  readonly #path: string;
  readonly #ids: string[] = [];
  readonly #running = new Set<Promise<void>>();
  #fault: unknown;

  constructor(url: string, ticket: string) {
    this.#path = pathOfBlob(url);
    const client = (maxTries: number): BlockBlobClient =>
      new BlockBlobClient(withTicket(url, ticket), new AnonymousCredential(), {
        retryOptions: { maxTries, retryDelayInMs: 500, maxRetryDelayInMs: 8_000, tryTimeoutInMs: 120_000 },
      });
    // A block may be sent again without harm, so repeats are the client's own business. Those of a commit are not.
    this.#client = client(6);
    this.#committer = client(1);
  }

  /** Resolves when there is room for the next block. */
  async add(block: Buffer): Promise<void> {
    const id = Buffer.from(String(this.#ids.length).padStart(8, '0')).toString('base64');
    this.#ids.push(id);
    const transfer: Promise<void> = this.#client
      .stageBlock(id, block, block.length)
      .then(() => undefined)
      .catch((error: unknown) => {
        this.#fault ??= error;
      })
      .finally(() => this.#running.delete(transfer));
    this.#running.add(transfer);
    if (this.#running.size >= inFlight) await Promise.race(this.#running);
    if (this.#fault !== undefined) throw uploadFailure(this.#fault);
  }

  /** Waits for the blocks on their way; never throws. */
  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Makes the blob of all blocks; it must not exist. */
  async commit(): Promise<{ readonly etag: string; readonly blob: string }> {
    if (this.#fault !== undefined) throw uploadFailure(this.#fault);
    let isOutcomeUnknown = false;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { etag } = await this.#committer.commitBlockList(
          this.#ids,
          // When our own commit may have taken place, a second one of the same blocks changes nothing and tells the ETag,
          // which a write-only ticket may not ask for.
          isOutcomeUnknown ? {} : { conditions: { ifNoneMatch: '*' } },
        );
        return { etag: etag ?? '', blob: this.#path };
      } catch (error) {
        const status = statusOf(error);
        if (
          attempt === commitTries ||
          (status !== undefined && status < 500 && status !== 408 && status !== 429)
        ) {
          throw uploadFailure(error);
        }
        isOutcomeUnknown = true;
        await pause(500 * attempt);
      }
    }
  }
}

const uploadFailure = (error: unknown): CommandFailure =>
  new CommandFailure(
    'UPLOAD_FAILED',
    `The file could not be stored (${storeCodeOf(error)}). Check the network of the device and try again.`,
  );
