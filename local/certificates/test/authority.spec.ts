import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Authority, createAuthority } from '../authority.ts';
import { issueServerCertificate } from '../issue.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'certificates-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function statusOverTls(authority: Authority, host: string, ca: string | undefined): Promise<number> {
  const server = createServer(
    { cert: await readFile(authority.certFile), key: await readFile(authority.keyFile) },
    (_request, response) => response.writeHead(204).end(),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    return await new Promise<number>((resolve, reject) => {
      get({ host, port, agent: false, ...(ca === undefined ? {} : { ca }) }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      }).on('error', reject);
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

describe('createAuthority', () => {
  it('serves names of this machine to clients that trust its authority, and to no others', async () => {
    const authority = await createAuthority(dir);
    const ca = await readFile(authority.caFile, 'utf8');
    expect(await statusOverTls(authority, 'localhost', ca)).toBe(204);
    expect(await statusOverTls(authority, '127.0.0.1', ca)).toBe(204);
    await expect(statusOverTls(authority, 'localhost', undefined)).rejects.toThrow(/verify|issuer/);
  });

  it('keeps keys to the owner and gives the same files again', async () => {
    const first = await createAuthority(dir);
    const before = await readFile(first.certFile, 'utf8');
    expect((await stat(first.keyFile)).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir, 'authority', 'key.pem'))).mode & 0o777).toBe(0o600);
    expect(await createAuthority(dir)).toEqual(first);
    expect(await readFile(first.certFile, 'utf8')).toBe(before);
  });

  it('makes one authority when many start at once, and leaves no drafts', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => createAuthority(dir)));
    expect(new Set(all.map((one) => one.certFile)).size).toBe(1);
    expect((await readdir(dir)).sort()).toEqual(['authority', 'server-1']);
    const ca = new X509Certificate(await readFile(join(dir, 'authority', 'certificate.pem')));
    const server = new X509Certificate(await readFile(join(dir, 'server-1', 'certificate.pem')));
    expect(server.verify(ca.publicKey)).toBe(true);
  });

  it('renews a server certificate with less than 30 days left under the same authority', async () => {
    const first = await createAuthority(dir);
    const ca = await readFile(first.caFile, 'utf8');
    const authorityKey = await readFile(join(dir, 'authority', 'key.pem'), 'utf8');
    const short = await issueServerCertificate({ certificate: ca, key: authorityKey }, 29 / 365);
    await writeFile(first.certFile, short.certificate);
    await writeFile(first.keyFile, short.key);
    const renewed = await createAuthority(dir);
    expect(renewed.caFile).toBe(first.caFile);
    expect(renewed.certFile).not.toBe(first.certFile);
    expect(await readFile(renewed.caFile, 'utf8')).toBe(ca);
    expect(await statusOverTls(renewed, 'localhost', ca)).toBe(204);
  });

  it('is not misled by a draft that a crash left behind', async () => {
    await createAuthority(join(dir, 'other'));
    await writeFile(join(dir, 'draft-half'), 'half');
    const authority = await createAuthority(dir);
    expect(await statusOverTls(authority, 'localhost', await readFile(authority.caFile, 'utf8'))).toBe(204);
  });
});
