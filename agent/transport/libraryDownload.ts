import type { FileHandle } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { AnonymousCredential, BlobClient } from '@azure/storage-blob';
import { CommandFailure, systemCodeOf } from '../commands/command.ts';
import { isRefusal, statusOf, storeCodeOf, withTicket } from './blobAddress.ts';

/** A transfer that brings nothing for this long is begun anew where it stopped. */
const stalledAfterMs = 20_000;
/** Without a byte in this time it is given up. */
const giveUpAfterMs = 120_000;

/** What is fetched, and what it must turn out to be. */
export interface WantedFile {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
  readonly url: string;
  readonly ticket: string;
}

/**
 * Writes a library file into an empty open file. A transfer that is cut goes on where it was cut. What arrives is held against
 * size and hash: when this returns, exactly the wanted bytes were written.
 */
export const downloadLibraryFile = async (wanted: WantedFile, into: FileHandle): Promise<void> => {
  const { name, size, sha256, url, ticket } = wanted;
  const client = new BlobClient(withTicket(url, ticket), new AnonymousCredential(), {
    // Repeats are made here, where it is known how much has arrived.
    retryOptions: { maxTries: 1, tryTimeoutInMs: stalledAfterMs },
  });
  const hash = createHash('sha256');
  let position = 0;
  let arrivedAt = performance.now();
  const take = async (chunk: Buffer): Promise<void> => {
    if (position + chunk.length > size) throw notAsOrdered(name, `has more than ${size} bytes`);
    await writeAll(into, chunk, name);
    hash.update(chunk);
    position += chunk.length;
    arrivedAt = performance.now();
  };
  for (let wait = 200; position < size; wait = Math.min(wait * 2, 5_000)) {
    const before = position;
    try {
      await transfer(client, position, take);
      // A store that ends early without an error.
      if (position < size && position === before) throw new Error('nothing came');
    } catch (error) {
      if (error instanceof CommandFailure) throw error;
      if (isRefusal(error) || performance.now() - arrivedAt > giveUpAfterMs) {
        throw downloadFailure(name, position, size, error);
      }
    }
    if (position > before) wait = 200;
    if (position < size) await pause(wait * (0.5 + Math.random() / 2));
  }
  if (hash.digest('hex') !== sha256) throw notAsOrdered(name, 'has another hash');
};

const transfer = async (
  client: BlobClient,
  from: number,
  take: (chunk: Buffer) => Promise<void>,
): Promise<void> => {
  const stop = new AbortController();
  let stalled = setTimeout(() => stop.abort(), stalledAfterMs);
  try {
    const { readableStreamBody } = await client.download(from, undefined, {
      maxRetryRequests: 0,
      abortSignal: stop.signal,
    });
    for await (const chunk of readableStreamBody ?? []) {
      clearTimeout(stalled);
      await take(chunk as Buffer);
      stalled = setTimeout(() => stop.abort(), stalledAfterMs);
    }
  } finally {
    clearTimeout(stalled);
  }
};

const writeAll = async (into: FileHandle, chunk: Buffer, name: string): Promise<void> => {
  try {
    for (let written = 0; written < chunk.length;) {
      written += (await into.write(chunk, written)).bytesWritten;
    }
  } catch (error) {
    throw writeFailure(error, name);
  }
};

/** What the system says when a library file cannot be written. */
export const writeFailure = (error: unknown, name: string): unknown => {
  const code = systemCodeOf(error);
  if (code === undefined) return error;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new CommandFailure(
      'DISK_FULL',
      `${name} does not fit on the disk that holds the agent’s folder. Nothing of it was left there. Make room and try again.`,
    );
  }
  return new CommandFailure('WRITE_ERROR', `${name} cannot be written to the agent’s folder (${code}).`);
};

const notAsOrdered = (name: string, what: string): CommandFailure =>
  new CommandFailure(
    'HASH_MISMATCH',
    `What came for ${name} is not the file that was ordered: it ${what}. It was removed and not used.`,
  );

const downloadFailure = (name: string, position: number, size: number, error: unknown): CommandFailure =>
  statusOf(error) === 404
    ? new CommandFailure(
        'LIBRARY_FILE_GONE',
        `The content of ${name} is gone from the store. It was deleted for good after the command was given.`,
      )
    : new CommandFailure(
        'DOWNLOAD_FAILED',
        `${name} could not be fetched: ${position} of ${size} bytes came (${storeCodeOf(error)}). Check the network of the device and try again.`,
      );
