import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiError } from '../../sdk/index.ts';
import { openTerminal, type Terminal } from '../support/lr.ts';
import { inSession, responder, rowsOf } from '../support/responders.ts';

const manager = responder('cleo');
const reader = responder('ben');
const stranger = responder('eve', 'fabrikam');
let terminal: Terminal;
beforeAll(async () => {
  terminal = await openTerminal();
});
afterAll(() => terminal.remove());

const hashOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');
const inFolder = async (name: string, content: Uint8Array): Promise<string> => {
  await writeFile(join(terminal.folder, name), content);
  return name;
};
const lrJson = async (...args: string[]): Promise<Record<string, unknown>> => {
  const { exitCode, stdout, stderr } = await terminal.lr(['library', ...args, '--json']);
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout) as Record<string, unknown>;
};
const refusalOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  return error instanceof ApiError ? error.code : `not refused: ${String(error)}`;
};

describe.each([
  ['in one request', 'small.sh', Buffer.from('#!/bin/sh\necho hello\n')],
  ['by ticket, in blocks', 'large.bin', randomBytes(20 * 1024 * 1024 + 17)],
])('a file that goes %s', (_, name, content) => {
  it('is added, listed, shown, downloaded, replaced and deleted', async () => {
    await inFolder(name, content);
    const said = await terminal.lr([
      'library',
      'add',
      name,
      '--description',
      'First look',
      '--parameters',
      'N',
    ]);
    expect(said.stderr).toBe('');
    expect(said.stdout).toContain(`${name} uploaded`);
    const facts = { name, size: content.length, sha256: hashOf(content), description: 'First look' };
    expect(await manager.libraryFiles()).toContainEqual(expect.objectContaining(facts));
    expect((await terminal.lr(['library', 'list'])).stdout).toContain(name);
    expect(await lrJson('show', name.toUpperCase())).toMatchObject({
      ...facts,
      hasParameters: true,
      parametersDescription: 'N',
      signature: { state: 'unsigned', signer: null },
      updatedBy: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    await lrJson('get', name, '-o', `${name}.back`);
    expect((await readFile(join(terminal.folder, `${name}.back`))).equals(content)).toBe(true);

    const other = Buffer.concat([content, Buffer.from('more')]);
    await inFolder(name, other);
    const refused = await terminal.lr(['library', 'add', name]);
    expect(refused.exitCode).toBe(5);
    expect(refused.stderr).toContain('--overwrite');
    expect(await lrJson('add', name, '--overwrite')).toMatchObject({ sha256: hashOf(other) });
    await lrJson('get', name, '-o', `${name}.back`, '--overwrite');
    expect((await readFile(join(terminal.folder, `${name}.back`))).equals(other)).toBe(true);

    expect(await lrJson('delete', name)).toEqual({ name, deleted: true });
    expect(await refusalOf(manager.libraryFile(name))).toBe('LIBRARY_FILE_UNKNOWN');
    expect((await terminal.lr(['library', 'delete', name])).exitCode).toBe(5);
    await lrJson('add', name);
    await lrJson('delete', name);
  });
});

it('keeps what it knows for those who may know it', async () => {
  const content = Buffer.from('secret');
  await manager.putLibraryFile('rights.txt', content);
  expect(await reader.libraryFile('rights.txt')).toMatchObject({ sha256: hashOf(content) });
  expect(await refusalOf(reader.putLibraryFile('rights-2.txt', content))).toBe('FORBIDDEN');
  expect(await refusalOf(reader.deleteLibraryFile('rights.txt'))).toBe('FORBIDDEN');
  expect(await refusalOf(responder('dan').libraryFiles())).toBe('FORBIDDEN');
  expect(await refusalOf(stranger.libraryFile('rights.txt'))).toBe('LIBRARY_FILE_UNKNOWN');
  expect(await refusalOf(stranger.libraryDownload('rights.txt'))).toBe('LIBRARY_FILE_UNKNOWN');
  expect(await refusalOf(stranger.deleteLibraryFile('rights.txt'))).toBe('LIBRARY_FILE_UNKNOWN');
  expect((await stranger.libraryFiles()).map(({ name }) => name)).not.toContain('rights.txt');
  const idempotencyKey = crypto.randomUUID();
  await manager.deleteLibraryFile('rights.txt', { idempotencyKey });
  await manager.deleteLibraryFile('rights.txt', { idempotencyKey });
});

it('adds once for a key, and refuses the key for something else', async () => {
  const options = { idempotencyKey: crypto.randomUUID() };
  const first = await manager.putLibraryFile('once.txt', Buffer.from('one'), {}, options);
  expect(await manager.putLibraryFile('once.txt', Buffer.from('one'), {}, options)).toEqual(first);
  const other = manager.putLibraryFile('once.txt', Buffer.from('two'), { overwrite: true }, options);
  expect(await refusalOf(other)).toBe('IDEMPOTENCY_MISMATCH');
  await manager.deleteLibraryFile('once.txt');
});

it.each(['..', '.', '-rf', 'a b', 'a\\b', 'nul.txt', 'ä.sh', 'x'.repeat(101), 'a\nb'])(
  'takes no file called %j, and stores nothing',
  async (name) => {
    const before = await manager.libraryFiles();
    const announced = { name, size: 1, sha256: 'a'.repeat(64) };
    expect(await refusalOf(manager.libraryUploadTicket(announced))).toBe('LIBRARY_NAME_INVALID');
    expect(await refusalOf(manager.putLibraryFile(name, Buffer.from('x')))).not.toMatch(/^not refused/);
    expect(await manager.libraryFiles()).toEqual(before);
  },
);

describe('a ticket', () => {
  const content = Buffer.from('what the ticket is for');
  const announced = (name: string) => ({ name, size: content.length, sha256: hashOf(content) });
  const put = (url: string, body: Uint8Array<ArrayBuffer>) =>
    fetch(url, {
      method: 'PUT',
      body,
      headers: { 'x-ms-blob-type': 'BlockBlob', 'x-ms-version': '2025-07-05' },
    });
  const withPath = (url: string, change: (path: string) => string): string => {
    const other = new URL(url);
    other.pathname = change(other.pathname);
    return other.href;
  };

  it('opens exactly one blob, to write only, and nothing once its upload is completed', async () => {
    const idempotencyKey = crypto.randomUUID();
    const ticket = await manager.libraryUploadTicket(announced('ticket.txt'), { idempotencyKey });
    const elsewhere = withPath(ticket.url, (path) => path.replace(ticket.uploadId, crypto.randomUUID()));
    const kept = withPath(ticket.url, (path) =>
      path.replace('uploads', 'files').replace(ticket.uploadId, hashOf(content)),
    );
    expect((await put(elsewhere, content)).status).toBe(403);
    expect((await put(kept, content)).status).toBe(403);
    expect((await put(ticket.url, content)).status).toBe(201);
    expect((await fetch(ticket.url)).status).toBe(403);
    expect(await refusalOf(stranger.completeLibraryUpload(ticket.uploadId))).toBe('UPLOAD_UNKNOWN');
    expect(await refusalOf(stranger.libraryUpload(ticket.uploadId))).toBe('UPLOAD_UNKNOWN');
    const done = await manager.completeLibraryUpload(ticket.uploadId, { wait: 60 });
    expect(done).toMatchObject({ status: 'accepted', error: null });
    expect((await put(ticket.url, Buffer.from('something else'))).status).toBe(412);
    expect(await manager.completeLibraryUpload(ticket.uploadId)).toEqual(done);
    const again = manager.libraryUploadTicket(announced('ticket.txt'), { idempotencyKey });
    expect(await refusalOf(again)).toBe('UPLOAD_CLOSED');
    const { url } = await manager.libraryDownload('ticket.txt');
    expect(await (await fetch(url)).text()).toBe(content.toString());
    expect((await put(url, Buffer.from('something else'))).status).toBe(403);
    await manager.deleteLibraryFile('ticket.txt');
  });

  it.each([
    ['another size', Buffer.from('short')],
    ['another hash', Buffer.from('what the ticket is FOR')],
  ])('brings nothing into the library that has %s', async (_, sent) => {
    const ticket = await manager.libraryUploadTicket(announced('wrong.txt'));
    expect((await put(ticket.url, sent)).status).toBe(201);
    const done = await manager.completeLibraryUpload(ticket.uploadId, { wait: 60 });
    expect(done).toMatchObject({ status: 'refused', error: { code: 'CONTENT_MISMATCH' } });
    expect(await refusalOf(manager.libraryFile('wrong.txt'))).toBe('LIBRARY_FILE_UNKNOWN');
  });

  it('that nothing was sent with is refused', async () => {
    const { uploadId } = await manager.libraryUploadTicket(announced('nothing.txt'));
    const done = await manager.completeLibraryUpload(uploadId, { wait: 60 });
    expect(done).toMatchObject({ status: 'refused', error: { code: 'UPLOAD_MISSING' } });
  });

  it('of an upload that was cut goes on with the blocks that are missing', async () => {
    const large = randomBytes(17 * 1024 * 1024);
    const path = join(terminal.folder, await inFolder('cut.bin', large));
    const idempotencyKey = crypto.randomUUID();
    const sent: number[] = [];
    const leave = new AbortController();
    const cut = manager.addLibraryFile(
      path,
      {},
      {
        idempotencyKey,
        signal: leave.signal,
        onProgress: (bytes) => {
          if (bytes > 0) leave.abort(new Error('cut'));
        },
      },
    );
    await expect(cut).rejects.toThrow();
    await manager.addLibraryFile(path, {}, { idempotencyKey, onProgress: (bytes) => sent.push(bytes) });
    expect(sent[0]).toBeGreaterThan(0);
    expect(await manager.libraryFile('cut.bin')).toMatchObject({ sha256: hashOf(large) });
    await manager.deleteLibraryFile('cut.bin');
  });
});

describe.each([
  ['ed25519', () => generateKeyPairSync('ed25519')],
  ['ECDSA P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
])('a signature with %s', (kind, make) => {
  it('is made by lr, checked at upload, and stands as its signer does', async () => {
    const { publicKey, privateKey } = make();
    const name = `signed-${kind.slice(0, 2)}.sh`;
    await inFolder(name, Buffer.from(`echo ${kind}\n`));
    await inFolder('key.pem', Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })));
    const signed = await terminal.lr(['library', 'sign', name, '--key', 'key.pem']);
    expect(signed.stderr).toBe('');
    const add = ['library', 'add', name, '--signature', `${name}.sig`];
    expect((await terminal.lr(add)).stderr).toContain('does not trust');
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const { keyId } = await manager.trustSigner({ name: 'Release team', publicKey: pem });
    expect((await manager.settings()).signers).toContainEqual(expect.objectContaining({ keyId }));
    expect((await terminal.lr([...add, '--name', 'renamed.sh'])).stderr).toContain('renamed.sh');
    expect((await terminal.lr(add)).stdout).toContain('signed by Release team');
    expect((await manager.libraryFile(name)).signature.state).toBe('valid');
    await manager.distrustSigner(keyId);
    expect((await manager.libraryFile(name)).signature).toEqual({
      state: 'untrusted',
      signer: { keyId, name: 'Release team' },
    });
    await manager.deleteLibraryFile(name);
  });
});

it('takes no private key for a signer', async () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const publicKey = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  expect(await refusalOf(manager.trustSigner({ name: 'x', publicKey }))).toBe('SIGNER_KEY_INVALID');
});

it('is listed and changed by commands of a session, which are recorded like all others', async () => {
  await manager.putLibraryFile('console.txt', Buffer.from('x'), { description: 'From the console' });
  const ana = responder('ana');
  await inSession(ana, async ({ sessionId }) => {
    const listed = await ana.runCommand(sessionId, 'library');
    expect(listed.state).toBe('Completed');
    const about = { name: 'console.txt', description: 'From the console', signature: 'unsigned' };
    expect(await rowsOf(ana, sessionId, listed.commandId)).toContainEqual(expect.objectContaining(about));
    expect(await refusalOf(ana.issueCommand(sessionId, 'library delete console.txt'))).toBe('RIGHT_MISSING');
  });
  await inSession(manager, async ({ sessionId }) => {
    expect(await manager.runCommand(sessionId, 'library delete console.txt')).toMatchObject({
      state: 'Completed',
    });
    expect(await manager.runCommand(sessionId, 'library delete console.txt')).toMatchObject({
      state: 'Failed',
      error: { code: 'LIBRARY_FILE_UNKNOWN' },
    });
  });
  expect(await refusalOf(manager.libraryFile('console.txt'))).toBe('LIBRARY_FILE_UNKNOWN');
});
