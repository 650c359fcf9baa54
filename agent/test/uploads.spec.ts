import { contextWith } from './support/runCommand.ts';
import { randomBytes, randomUUID } from 'node:crypto';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../evidence/canonical.ts';
import type { CommandOutcome } from '../commands/command.ts';
import { getfile } from '../commands/getfile.ts';
import { AppendUpload } from '../transport/appendUpload.ts';
import { pathOfBlob, withTicket } from '../transport/blobAddress.ts';
import { FakeBackend } from './support/fakeBackend.ts';

let backend: FakeBackend;
let path: string;
beforeAll(async () => {
  backend = await FakeBackend.start();
  path = await mkdtemp(join(tmpdir(), 'agent-files-'));
});
afterAll(async () => {
  await backend.close();
  await rm(path, { recursive: true, force: true });
});

const place = (container: 'output' | 'collected') => {
  const [session, id] = [randomUUID(), randomUUID()];
  const blob = backend.blob(container, `${session}/${id}`);
  return { blob, url: blob.url, ticket: backend.tickets(session, id)[container] ?? '' };
};
const contentOf = (blob: ReturnType<FakeBackend['blob']>): Promise<Buffer> => blob.downloadToBuffer();

describe('addresses', () => {
  it('come from what was signed; a ticket adds a query and nothing else', () => {
    const signed = 'https://account.blob.core.windows.net/output/t/s/c';
    expect(withTicket(signed, 'sig=a%2Bb&se=1')).toBe(`${signed}?sig=a%2Bb&se=1`);
    expect(withTicket(signed, '?sig=a#https://elsewhere.example/')).toContain(`${signed}?sig=a`);
    expect(new URL(withTicket(signed, '@elsewhere.example/x')).host).toBe('account.blob.core.windows.net');
    expect(pathOfBlob(signed)).toBe('output/t/s/c');
  });
});

/** Stands before the store and spoils answers: the request takes place, its answer is lost. */
class LossyProxy {
  readonly #server: Server;
  /** Kinds of requests whose next answers are lost, such as `appendblock`. */
  readonly lose: string[] = [];
  readonly seen: string[] = [];

  constructor(target: string) {
    this.#server = createServer((incoming, answer) => this.#pass(target, incoming, answer));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #pass(target: string, incoming: IncomingMessage, answer: ServerResponse): void {
    const kind = new URL(incoming.url ?? '', target).searchParams.get('comp') ?? 'put';
    this.seen.push(kind);
    const headers = Object.entries(incoming.headers).flatMap(([name, value]): [string, string][] =>
      ['host', 'connection', 'transfer-encoding', 'content-length'].includes(name)
        ? []
        : [[name, String(value)]],
    );
    void buffer(incoming).then(async (content) => {
      const method = incoming.method ?? 'GET';
      const response = await fetch(`${target}${incoming.url}`, {
        method,
        headers,
        body: new Uint8Array(content),
      });
      const body = Buffer.from(await response.arrayBuffer());
      if (this.lose[0] === kind) {
        this.lose.shift();
        answer.destroy();
        return;
      }
      answer.writeHead(response.status, Object.fromEntries(response.headers));
      answer.end(body);
    });
  }
}

const proxies: LossyProxy[] = [];
afterEach(() => {
  for (const proxy of proxies.splice(0)) proxy.close();
});
const behindProxy = async (url: string) => {
  const { origin, pathname } = new URL(url);
  const proxy = new LossyProxy(origin);
  proxies.push(proxy);
  return { proxy, url: `${await proxy.listen()}${pathname}` };
};

describe('output', () => {
  it('is appended in order, whatever its size', async () => {
    const { blob, url, ticket } = place('output');
    const upload = new AppendUpload(url, ticket);
    const pieces = [randomBytes(10), randomBytes(5 * 1024 * 1024), randomBytes(1)];
    for (const piece of pieces) await upload.append(piece);
    expect(await contentOf(blob)).toEqual(Buffer.concat(pieces));
  });

  it('is there once when answers are lost', async () => {
    const { blob, url, ticket } = place('output');
    const lossy = await behindProxy(url);
    const upload = new AppendUpload(lossy.url, ticket);
    lossy.proxy.lose.push('put', 'appendblock');
    await upload.append(Buffer.from('one,'));
    lossy.proxy.lose.push('appendblock', 'appendblock');
    await upload.append(Buffer.from('two,'));
    await upload.append(Buffer.from('three'));
    expect((await contentOf(blob)).toString()).toBe('one,two,three');
    expect(lossy.proxy.seen.filter((kind) => kind === 'appendblock').length).toBeGreaterThan(3);
  });

  it('is refused when somebody else wrote to its place', async () => {
    const { blob, url, ticket } = place('output');
    await blob.getAppendBlobClient().create();
    await blob.getAppendBlobClient().appendBlock('foreign', 7);
    await expect(new AppendUpload(url, ticket).append(Buffer.from('mine'))).rejects.toThrow(
      /could not be stored/,
    );
    expect((await contentOf(blob)).toString()).toBe('foreign');
  });

  it('says nothing secret when a ticket is refused', async () => {
    const { url, ticket } = place('output');
    const spoiled = ticket.replace(/sig=[^&]*/, 'sig=c2VjcmV0');
    const failure = await new AppendUpload(url, spoiled)
      .append(Buffer.from('x'))
      .catch((error: Error) => error.message);
    expect(failure).toMatch(/^The output could not be stored \(\w+\)\.$/);
  });
});

const collect = async (file: string, url: string, ticket: string, limit = 1e9): Promise<CommandOutcome> => {
  const rows = getfile.run(
    contextWith({
      commandId: 'command-1',
      directory: path,
      parameters: { path: file },
      limits: { collectedFile: limit, fileinfoFile: 0 },
      collected: { url, ticket },
    }),
  );
  for (;;) {
    const next = await rows.next();
    if (next.done === true) return next.value;
  }
};

describe('getfile', () => {
  it.each([0, 1, 8 * 1024 * 1024, 8 * 1024 * 1024 * 4 + 5])('collects %i bytes', async (size) => {
    const content = randomBytes(size);
    await writeFile(join(path, 'file'), content);
    const { blob, url, ticket } = place('collected');
    const { files } = await collect('file', url, ticket);
    const { etag } = await blob.getProperties();
    expect(files).toEqual([
      {
        fileId: 'command-1',
        name: 'file',
        path: { text: join(path, 'file') },
        size,
        sha256: sha256(content),
        etag,
        blob: `collected/${blob.name}`,
      },
    ]);
    expect((await contentOf(blob)).equals(content)).toBe(true);
  });

  it('never replaces what is there', async () => {
    await writeFile(join(path, 'file'), 'new');
    const { blob, url, ticket } = place('collected');
    await blob.getBlockBlobClient().upload('old', 3);
    await expect(collect('file', url, ticket)).rejects.toMatchObject({ code: 'UPLOAD_FAILED' });
    expect((await contentOf(blob)).toString()).toBe('old');
  });

  it('finishes when the answer to its commit is lost', async () => {
    await writeFile(join(path, 'file'), 'content');
    const { blob, url, ticket } = place('collected');
    const lossy = await behindProxy(url);
    lossy.proxy.lose.push('blocklist');
    const { files } = await collect('file', lossy.url, ticket);
    expect(files?.[0]?.etag).toBe((await blob.getProperties()).etag);
    expect((await contentOf(blob)).toString()).toBe('content');
  });

  it('refuses a file that changes while it is read', async () => {
    await writeFile(join(path, 'growing'), randomBytes(9 * 1024 * 1024));
    const { blob, url } = place('collected');
    // The first block arrives when the file was opened and not yet read to its end.
    const server = createServer((incoming, answer) => {
      void text(incoming).then(async () => {
        await appendFile(join(path, 'growing'), 'more');
        answer.writeHead(201, { 'x-ms-request-id': '1' }).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await expect(
      collect('growing', `http://localhost:${port}${new URL(url).pathname}`, 'sig=x'),
    ).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    server.closeAllConnections();
    server.close();
    expect(await blob.exists()).toBe(false);
  });
});
