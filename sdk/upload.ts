import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { LibraryUploadTicket } from '../contracts/http.ts';
import { ConnectionError, reasonOf, UploadError } from './errors.ts';
import { delayAfter, pause, type RetryPolicy } from './retry.ts';

export interface UploadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((sent: number, size: number) => void) | undefined;
}

interface Means {
  readonly fetch: typeof globalThis.fetch;
  readonly retry: RetryPolicy;
  /** Gives a fresh ticket when the first one is out of time. */
  readonly renew: () => Promise<LibraryUploadTicket>;
}

const blockSize = 8 * 1024 * 1024;
const inFlight = 4;
const apiVersion = '2025-07-05';

/** Size and SHA-256, hex, of a file. */
export const sizeAndHashOf = async (
  path: string,
): Promise<{ readonly size: number; readonly sha256: string }> => {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer);
    size += (chunk as Buffer).length;
  }
  return { size, sha256: hash.digest('hex') };
};

/** Sends a file to the blob of its ticket, several blocks at a time, without those that have arrived before. */
export const uploadFile = async (
  ticket: LibraryUploadTicket,
  path: string,
  options: UploadOptions,
  means: Means,
): Promise<void> => {
  const store = new TicketedBlob(ticket, options.signal, means);
  const file = await open(path);
  try {
    const ids = await sendBlocks(store, file, ticket, options);
    await store.commit(ids);
  } finally {
    await file.close();
  }
};

const sendBlocks = async (
  store: TicketedBlob,
  file: FileHandle,
  { size, blocks }: LibraryUploadTicket,
  { onProgress = () => {} }: UploadOptions,
): Promise<readonly string[]> => {
  const arrived = new Map(blocks.map((block) => [block.id, block.size]));
  const starts = Array.from({ length: Math.ceil(size / blockSize) }, (_, index) => index * blockSize);
  const ids = starts.map((_, index) => Buffer.from(String(index).padStart(8, '0')).toString('base64'));
  const waiting = starts.flatMap((start, index) => {
    const id = ids[index] ?? '';
    const length = Math.min(blockSize, size - start);
    return arrived.get(id) === length ? [] : [{ id, start, length }];
  });
  let sent = size - waiting.reduce((sum, { length }) => sum + length, 0);
  onProgress(sent, size);
  const work = waiting.values();
  const send = async (): Promise<void> => {
    for (const { id, start, length } of work) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, start);
      if (bytesRead !== length)
        throw new UploadError('CONTENT_MISMATCH', 'The file became shorter while it was sent.');
      await store.put(id, buffer);
      sent += length;
      onProgress(sent, size);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, send));
  return ids;
};

/** The one blob that a ticket opens. */
class TicketedBlob {
  readonly #means: Means;
  readonly #signal: AbortSignal | undefined;
  #url: string;

  constructor({ url }: LibraryUploadTicket, signal: AbortSignal | undefined, means: Means) {
    this.#url = url;
    this.#signal = signal;
    this.#means = means;
  }

  async put(id: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const response = await this.#send(`comp=block&blockid=${encodeURIComponent(id)}`, bytes, {});
    if (!response.ok) throw await refused(response);
  }

  async commit(ids: readonly string[]): Promise<void> {
    const list = ids.map((id) => `<Latest>${id}</Latest>`).join('');
    const body = Buffer.from(`<?xml version="1.0" encoding="utf-8"?><BlockList>${list}</BlockList>`);
    const response = await this.#send('comp=blocklist', body, { 'if-none-match': '*' });
    // There already: our own commit whose answer was lost. What it holds is checked by the server in any case.
    if (!response.ok && response.status !== 409 && response.status !== 412) throw await refused(response);
  }

  async #send(
    query: string,
    body: Uint8Array<ArrayBuffer>,
    headers: Record<string, string>,
  ): Promise<Response> {
    const { fetch, retry, renew } = this.#means;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const response = await fetch(`${this.#url}&${query}`, {
          method: 'PUT',
          body,
          headers: { ...headers, 'x-ms-version': apiVersion },
          redirect: 'error',
          ...(this.#signal === undefined ? {} : { signal: this.#signal }),
        });
        if (response.status === 403 && attempt === 1) {
          await response.body?.cancel();
          this.#url = (await renew()).url;
          continue;
        }
        const mayRepeat = response.status >= 500 || response.status === 408 || response.status === 429;
        if (!mayRepeat || attempt >= retry.attempts) return response;
        await response.body?.cancel();
      } catch (error) {
        this.#signal?.throwIfAborted();
        // Asking for a fresh ticket has its own repeats and refusals.
        if (!(error instanceof TypeError)) throw error;
        if (attempt >= retry.attempts) throw new ConnectionError(new URL(this.#url).origin, reasonOf(error));
      }
      await pause(delayAfter(attempt, retry), this.#signal);
    }
  }
}

const refused = async (response: Response): Promise<UploadError> => {
  await response.body?.cancel();
  const code = response.headers.get('x-ms-error-code') ?? `HTTP ${response.status}`;
  return new UploadError('STORE_REFUSED', `The store did not take the file (${code}). Upload it again.`);
};
