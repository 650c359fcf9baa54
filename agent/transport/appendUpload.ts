import { setTimeout as pause } from 'node:timers/promises';
import { AnonymousCredential, AppendBlobClient } from '@azure/storage-blob';
import { isRefusal, pathOfBlob, statusOf, storeCodeOf, withTicket } from './blobAddress.ts';

/** The service takes at most this much in one append. */
export const largestAppend = 4 * 1024 * 1024;
const giveUpAfterMs = 60_000;

/** The output of one command in an append blob. Bytes are there once, in order, whatever had to be repeated. */
export class AppendUpload {
  readonly path: string;
  readonly #client: AppendBlobClient;
  #exists = false;
  #position = 0;
  #etag = '';

  constructor(url: string, ticket: string) {
    this.path = pathOfBlob(url);
    this.#client = new AppendBlobClient(withTicket(url, ticket), new AnonymousCredential(), {
      // Repeats are made here, where it is known whether the outcome of the one before was seen.
      retryOptions: { maxTries: 1, tryTimeoutInMs: 60_000 },
    });
  }

  /** Position of the next byte. */
  get position(): number {
    return this.#position;
  }

  /** Of the blob as this process left it; empty when the answer that told it was lost, and nobody else may be asked. */
  get etag(): string {
    return this.#etag;
  }

  /** Throws an Error with a text for the responder when the bytes could not be stored. */
  async append(bytes: Buffer): Promise<void> {
    if (!this.#exists) {
      await this.#insist(async (isOutcomeUnknown) => {
        try {
          this.#etag = (await this.#client.createIfNotExists()).etag ?? '';
        } catch (error) {
          // A ticket that may create and not write is refused for a blob that exists: after a lost answer, our own.
          if (!(isOutcomeUnknown && statusOf(error) === 403)) throw error;
        }
      });
      this.#exists = true;
    }
    for (let start = 0; start < bytes.length; start += largestAppend) {
      await this.#appendBlock(bytes.subarray(start, start + largestAppend));
    }
  }

  async #appendBlock(block: Buffer): Promise<void> {
    await this.#insist(async (isOutcomeUnknown) => {
      try {
        const { etag } = await this.#client.appendBlock(block, block.length, {
          conditions: { appendPosition: this.#position },
        });
        this.#etag = etag ?? '';
      } catch (error) {
        // This process is the only writer: when an earlier try was not answered and the blob has grown since, it succeeded.
        if (!(isOutcomeUnknown && statusOf(error) === 412)) throw error;
        this.#etag = '';
      }
    });
    this.#position += block.length;
  }

  async #insist(request: (isOutcomeUnknown: boolean) => Promise<void>): Promise<void> {
    const started = performance.now();
    let isOutcomeUnknown = false;
    for (let wait = 200; ; wait = Math.min(wait * 2, 5_000)) {
      try {
        await request(isOutcomeUnknown);
        return;
      } catch (error) {
        if (isRefusal(error) || performance.now() - started > giveUpAfterMs) {
          throw new Error(`The output could not be stored (${storeCodeOf(error)}).`);
        }
        isOutcomeUnknown = true;
      }
      await pause(wait * (0.5 + Math.random() / 2));
    }
  }
}
