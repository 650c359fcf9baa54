import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FileDownload, LiveResponseClient } from '../index.ts';
import { type Call, type RunningServer, startServer } from './contractServer.ts';
import { sessionId } from './shapes.ts';

const content = randomBytes(300_000);
const sha256 = createHash('sha256').update(content).digest('hex');
let folder: string;
let server: RunningServer;
let asked: (string | undefined)[];
let respond: (call: Call, from: number) => void;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'download-'));
  asked = [];
  respond = (call, from) => call.response.end(content.subarray(from));
  server = await startServer((call) => {
    const { range } = call.headers;
    asked.push(range);
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    if (range !== undefined) {
      call.response.writeHead(206, {
        'content-range': `bytes ${from}-${content.length - 1}/${content.length}`,
      });
    }
    respond(call, from);
  });
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

const aFile = (changes: Partial<FileDownload> = {}): FileDownload => ({
  fileId: 'f-1',
  name: 'memory.bin',
  size: content.length,
  sha256,
  url: `${server.address}/blob`,
  expiresAt: '2026-01-02T03:04:05.000Z',
  replaced: false,
  ...changes,
});
const client = () =>
  new LiveResponseClient({
    server: server.address,
    token: async () => 'token-1',
    retry: { firstDelayMs: 1, longestDelayMs: 5, attempts: 4 },
  });

it('goes on where the connection was cut and keeps the file under its name only when it is right', async () => {
  respond = (call, from) => {
    if (asked.length < 3)
      return void call.response.write(content.subarray(from, from + 100_000), () => call.cut());
    call.response.end(content.subarray(from));
  };
  const progress: number[] = [];
  const target = join(folder, 'memory.bin');
  await client().download(aFile(), target, { onProgress: (received) => progress.push(received) });
  expect(content.equals(await readFile(target))).toBe(true);
  expect(await readdir(folder)).toEqual(['memory.bin']);
  expect(asked.slice(1).every((range) => range !== undefined)).toBe(true);
  expect(progress.at(-1)).toBe(content.length);
});

it('takes up what an earlier run left', async () => {
  const target = join(folder, 'memory.bin');
  await writeFile(`${target}.part`, content.subarray(0, 120_000));
  await client().download(aFile(), target);
  expect(asked).toEqual(['bytes=120000-']);
  expect(content.equals(await readFile(target))).toBe(true);
});

it('begins again when what was left belongs to another file', async () => {
  const target = join(folder, 'memory.bin');
  await writeFile(`${target}.part`, randomBytes(1000));
  await client().download(aFile(), target);
  expect(asked).toEqual(['bytes=1000-', undefined]);
  expect(content.equals(await readFile(target))).toBe(true);
});

it('keeps nothing when the content is not what was collected', async () => {
  const forged = Buffer.from(content);
  forged[7] = (forged[7] ?? 0) ^ 1;
  respond = (call, from) => call.response.end(forged.subarray(from));
  const download = client().download(aFile(), join(folder, 'memory.bin'));
  await expect(download).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
  expect(await readdir(folder)).toEqual([]);
});

it('keeps nothing when more comes than was collected', async () => {
  respond = (call, from) => call.response.end(Buffer.concat([content.subarray(from), Buffer.from('more')]));
  const download = client().download(aFile(), join(folder, 'memory.bin'));
  await expect(download).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
  expect(await readdir(folder)).toEqual([]);
});

it('does not touch a file that is there, unless it is told to', async () => {
  const target = join(folder, 'memory.bin');
  await writeFile(target, 'mine');
  await expect(client().download(aFile(), target)).rejects.toMatchObject({ code: 'FILE_EXISTS' });
  expect(await readFile(target, 'utf8')).toBe('mine');
  expect(asked).toEqual([]);
  await client().download(aFile(), target, { overwrite: true });
  expect(content.equals(await readFile(target))).toBe(true);
});

it('refuses a file that was replaced in the store', async () => {
  const download = client().download(aFile({ replaced: true }), join(folder, 'memory.bin'));
  await expect(download).rejects.toMatchObject({ code: 'FILE_REPLACED' });
  expect(asked).toEqual([]);
});

it('asks for a new address when the first is out of time', async () => {
  respond = (call, from) => {
    if (call.url.pathname === '/blob') {
      call.response.statusCode = 403;
      return void call.response.end('expired');
    }
    call.response.end(content.subarray(from));
  };
  const target = join(folder, 'memory.bin');
  const renew = async () => aFile({ url: `${server.address}/fresh` });
  await client().download(aFile(), target, { renew });
  expect(content.equals(await readFile(target))).toBe(true);
  await expect(client().download(aFile(), join(folder, 'b'))).rejects.toMatchObject({
    code: 'STORE_REFUSED',
  });
});

it('gives the output from a byte on, whether or not the server knows ranges', async () => {
  const read = async (from: number) =>
    Buffer.from(await new Response(await client().output(sessionId, 'c-1', { from })).arrayBuffer());
  expect(content.subarray(1234).equals(await read(1234))).toBe(true);
  respond = (call) => {
    call.response.statusCode = 200;
    call.response.end(content);
  };
  await server.close();
  server = await startServer((call) => void call.response.end(content));
  expect(content.subarray(1234).equals(await read(1234))).toBe(true);
  expect(content.equals(await read(0))).toBe(true);
});
