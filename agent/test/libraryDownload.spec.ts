import { randomBytes } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { sha256 } from '../../evidence/canonical.ts';
import { downloadLibraryFile } from '../transport/libraryDownload.ts';
import { temporaryFolders } from './support/temporary.ts';

const folder = temporaryFolders();
const closers: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const content = randomBytes(300_000);

/** Where a request wants to begin. */
const startOf = ({ headers }: IncomingMessage): number =>
  Number(/bytes=(\d+)-/.exec(String(headers['x-ms-range'] ?? headers.range ?? ''))?.[1] ?? 0);

const answer = (response: ServerResponse, start: number, bytes: Buffer): void => {
  response.writeHead(start === 0 ? 200 : 206, {
    'content-length': bytes.length,
    'content-range': `bytes ${start}-${start + bytes.length - 1}/${content.length}`,
    etag: '"1"',
  });
};

/** A store that treats every request as `serve` does. */
const download = async (
  serve: (request: IncomingMessage, response: ServerResponse) => void,
  wanted: { size?: number; sha256?: string } = {},
) => {
  const server = createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const path = join(await folder(), 'file');
  const into = await open(path, 'wx');
  try {
    await downloadLibraryFile(
      {
        name: 'tool',
        size: content.length,
        sha256: sha256(content),
        url: `http://127.0.0.1:${port}/account/library/x`,
        ticket: 'sig=secret',
        ...wanted,
      },
      into,
    );
  } finally {
    await into.close();
  }
  return readFile(path);
};

describe('download of a library file', () => {
  it('goes on where the network was cut', async () => {
    const starts: number[] = [];
    const got = await download((request, response) => {
      const start = startOf(request);
      starts.push(start);
      answer(response, start, content.subarray(start));
      if (starts.length > 3) return void response.end(content.subarray(start));
      response.write(content.subarray(start, start + 70_000), () => request.socket.destroy());
    });
    expect(got.equals(content)).toBe(true);
    expect(starts).toHaveLength(4);
    expect(starts[0]).toBe(0);
    expect(starts[3]).toBeGreaterThan(100_000);
  });

  it('waits for a store that is busy', async () => {
    let calls = 0;
    const got = await download((request, response) => {
      calls += 1;
      if (calls < 3) return void response.writeHead(503).end();
      answer(response, startOf(request), content);
      response.end(content);
    });
    expect(got.equals(content)).toBe(true);
  });

  it.each([
    [403, 'DOWNLOAD_FAILED'],
    [404, 'LIBRARY_FILE_GONE'],
  ])('is over when the store says %i', async (status, code) => {
    const failed = download((_, response) => void response.writeHead(status).end());
    await expect(failed).rejects.toMatchObject({ code, message: expect.not.stringContaining('secret') });
  });

  it.each([
    ['more bytes', { size: content.length - 1 }],
    ['other bytes', { sha256: sha256('something else') }],
  ])('refuses %s than were ordered', async (_, wanted) => {
    const failed = download((request, response) => {
      answer(response, startOf(request), content);
      response.end(content);
    }, wanted);
    await expect(failed).rejects.toMatchObject({ code: 'HASH_MISMATCH' });
  });
});
