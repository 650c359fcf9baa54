import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import type { FileDownload } from '../contracts/http.ts';
import { ConnectionError, DownloadError, reasonOf } from './errors.ts';
import { delayAfter, pause, type RetryPolicy } from './retry.ts';

export interface DownloadOptions {
  /** Replace a file that is already there. */
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (received: number, size: number) => void;
  /** Gives a fresh address when the first one is out of time. */
  readonly renew?: () => Promise<FileDownload>;
}

interface Means {
  readonly fetch: typeof globalThis.fetch;
  readonly retry: RetryPolicy;
}

/**
 * Brings a collected file to `path`. Writes to `path.part` first and goes on where an earlier try was cut; the file gets
 * its name only after its size and SHA-256 are right. Throws DownloadError when it cannot be kept.
 */
export const downloadTo = async (
  source: FileDownload,
  path: string,
  options: DownloadOptions,
  how: Means,
): Promise<void> => {
  if (source.replaced) {
    throw new DownloadError(
      'FILE_REPLACED',
      `${source.name} in the store is no longer the file that was collected. Nothing was downloaded; tell those who guard the evidence.`,
    );
  }
  if (!options.overwrite) await refuseExisting(path);
  const part = `${path}.part`;
  const resumed = await fetchInto(part, source, options, how);
  let actual = await sizeAndHash(part);
  if (resumed && !isWhole(actual, source)) {
    // What an earlier try left may have been another file: once more, from the first byte.
    await rm(part);
    await fetchInto(part, source, options, how);
    actual = await sizeAndHash(part);
  }
  if (!isWhole(actual, source)) {
    await rm(part);
    throw new DownloadError(
      'CONTENT_MISMATCH',
      `${source.name} came as ${actual.size} bytes with SHA-256 ${actual.sha256}, but ${source.size} bytes with ${source.sha256} were collected. Nothing was kept.`,
    );
  }
  if (!options.overwrite) await refuseExisting(path);
  await rename(part, path);
};

/** True when it went on from what an earlier try had left. */
const fetchInto = async (
  part: string,
  source: FileDownload,
  { signal, onProgress = () => {}, renew }: DownloadOptions,
  { fetch, retry }: Means,
): Promise<boolean> => {
  const file = await open(part, 'a+', 0o600);
  try {
    let received = (await file.stat()).size;
    if (received > source.size) {
      await file.truncate();
      received = 0;
    }
    const resumed = received > 0;
    let address = source.url;
    let failures = 0;
    while (received < source.size) {
      const before = received;
      try {
        const response = await fetch(address, {
          ...(received > 0 ? { headers: { range: `bytes=${received}-` } } : {}),
          ...(signal ? { signal } : {}),
        });
        if (response.status === 403 && renew !== undefined && failures < retry.attempts) {
          await response.body?.cancel();
          address = (await renew()).url;
          failures += 1;
          continue;
        }
        received = await startOf(response, received, file);
        for await (const bytes of response.body ?? []) {
          await file.write(bytes);
          received += bytes.length;
          onProgress(received, source.size);
          if (received > source.size) return resumed;
        }
        if (received < source.size) throw new Error(`the connection ended after ${received} bytes`);
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof DownloadError) throw error;
        failures = received > before ? 1 : failures + 1;
        if (failures >= retry.attempts) throw new ConnectionError(new URL(address).origin, reasonOf(error));
        await pause(delayAfter(failures, retry), signal);
      }
    }
    return resumed;
  } finally {
    await file.close();
  }
};

/** Where the answer's first byte belongs. A store that ignores the range sends all of it again. */
const startOf = async (response: Response, asked: number, file: FileHandle): Promise<number> => {
  if (response.status === 206) {
    const start = Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]);
    if (start === asked) return asked;
    await response.body?.cancel();
    throw new Error(`the store answered with bytes from ${start} instead of ${asked}`);
  }
  if (response.status === 200) {
    await file.truncate();
    return 0;
  }
  const text = (await response.text()).slice(0, 300);
  if (response.status === 429 || response.status >= 500)
    throw new Error(`the store answered ${response.status}`);
  throw new DownloadError(
    'STORE_REFUSED',
    `The store answered ${response.status}: ${text}. The address may be out of time; ask for the download again.`,
  );
};

const sizeAndHash = async (path: string): Promise<{ size: number; sha256: string }> => {
  const hash = createHash('sha256');
  for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer);
  return { size: (await stat(path)).size, sha256: hash.digest('hex') };
};

const isWhole = (actual: { size: number; sha256: string }, source: FileDownload): boolean =>
  actual.size === source.size && actual.sha256 === source.sha256;

const refuseExisting = async (path: string): Promise<void> => {
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (exists) {
    throw new DownloadError(
      'FILE_EXISTS',
      `${path} is already there. Choose another name or ask to overwrite it.`,
    );
  }
};
