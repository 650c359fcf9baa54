import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { DefaultAzureCredential } from '@azure/identity';
import {
  AnonymousCredential,
  AppendBlobClient,
  type BlobClient,
  BlobSASPermissions,
  BlobServiceClient,
  BlockBlobClient,
  generateBlobSASQueryParameters,
  RestError,
  StorageSharedKeyCredential,
  type UserDelegationKey,
} from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Authority, createAuthority } from '../../certificates/authority.ts';
import { type RunningIdentity, startIdentity } from '../../identity/server.ts';
import { startStorage } from '../server.ts';

const account = {
  name: 'localstorage',
  key: Buffer.from('an account key for these tests only').toString('base64'),
};
const identityHeader = 'header-of-this-test';

let dir: string;
let tls: Authority;
let identity: RunningIdentity;
let storage: Awaited<ReturnType<typeof startStorage>>;
let service: BlobServiceClient;
let delegationKey: UserDelegationKey;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'storage-'));
  tls = await createAuthority(join(dir, 'certificates'));
  setDefaultCACertificates([...getCACertificates('default'), await readFile(tls.caFile, 'utf8')]);
  identity = await startIdentity({
    dataDir: join(dir, 'identity'),
    port: 0,
    msiPort: 0,
    identityHeader,
    tls,
  });
  storage = await startStorage({
    dataDir: join(dir, 'blobs'),
    port: 0,
    tls,
    account,
    containers: ['output', 'library'],
  });
  vi.stubEnv('IDENTITY_ENDPOINT', identity.msiEndpoint);
  vi.stubEnv('IDENTITY_HEADER', identityHeader);
  service = new BlobServiceClient(storage.blobEndpoint, new DefaultAzureCredential());
  delegationKey = await service.getUserDelegationKey(
    new Date(Date.now() - 60_000),
    new Date(Date.now() + 3_600_000),
  );
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await storage.close();
  await identity.close();
  await rm(dir, { recursive: true, force: true });
});

function ticket(containerName: string, blobName: string, permissions: string): string {
  const sas = generateBlobSASQueryParameters(
    {
      containerName,
      blobName,
      permissions: BlobSASPermissions.parse(permissions),
      // The SDK's own, newer version signs two more fields, which this Azurite does not know.
      version: '2025-07-05',
      startsOn: new Date(Date.now() - 60_000),
      expiresOn: new Date(Date.now() + 1_800_000),
      contentDisposition: 'attachment; filename="report.txt"',
    },
    delegationKey,
    account.name,
  );
  return `${storage.blobEndpoint}/${containerName}/${blobName}?${sas}`;
}

const text = async (client: BlobClient) => (await client.downloadToBuffer()).toString('utf8');
const refusedWith = async (promise: Promise<unknown>) => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof RestError ? error.statusCode : error;
};

describe('with a managed identity’s token', () => {
  it('finds the declared containers and writes', async () => {
    const names = [];
    for await (const one of service.listContainers()) names.push(one.name);
    expect(names).toEqual(['library', 'output']);
    const blob = service.getContainerClient('output').getBlockBlobClient('plain');
    await blob.upload('hello', 5, { conditions: { ifNoneMatch: '*' } });
    expect(await text(blob)).toBe('hello');
    const again = blob.upload('hello', 5, { conditions: { ifNoneMatch: '*' } });
    expect(await refusedWith(again)).toBe(409);
  });
});

describe('with a ticket for one blob', () => {
  it('uploads blocks with create and write, and nothing else', async () => {
    const url = ticket('output', 'collected', 'cw');
    const blob = new BlockBlobClient(url);
    const ids = ['0001', '0002'].map((id) => Buffer.from(id).toString('base64'));
    await blob.stageBlock(ids[0] ?? '', 'one ', 4);
    await blob.stageBlock(ids[1] ?? '', 'two', 3);
    await blob.commitBlockList(ids, { conditions: { ifNoneMatch: '*' } });
    expect(await refusedWith(blob.downloadToBuffer(0))).toBe(403);
    const other = new BlockBlobClient(url.replace('collected', 'another'));
    expect(await refusedWith(other.upload('x', 1))).toBe(403);
    expect(await text(service.getContainerClient('output').getBlobClient('collected'))).toBe('one two');
  });

  it('appends with add and create', async () => {
    const blob = new AppendBlobClient(ticket('output', 'log', 'ac'), new AnonymousCredential());
    await blob.create({ conditions: { ifNoneMatch: '*' } });
    await blob.appendBlock('first ', 6, { conditions: { appendPosition: 0 } });
    await blob.appendBlock('second', 6, { conditions: { appendPosition: 6 } });
    const misplaced = blob.appendBlock('again', 5, { conditions: { appendPosition: 6 } });
    expect(await refusedWith(misplaced)).toBe(412);
    expect(await text(service.getContainerClient('output').getBlobClient('log'))).toBe('first second');
  });

  it('reads with read, under the name it was told, and does not write', async () => {
    await service.getContainerClient('library').getBlockBlobClient('file').upload('content', 7);
    const url = ticket('library', 'file', 'r');
    const response = await fetch(url);
    expect(await response.text()).toBe('content');
    expect(response.headers.get('content-disposition')).toContain('report.txt');
    expect(await refusedWith(new BlockBlobClient(url).upload('x', 1))).toBe(403);
  });
});

it('answers to its own account only', async () => {
  const wellKnown = `${new URL(storage.blobEndpoint).origin}/devstoreaccount1`;
  const key = new StorageSharedKeyCredential('devstoreaccount1', account.key);
  const stranger = new BlobServiceClient(wellKnown, key, { retryOptions: { maxTries: 1 } });
  await expect(stranger.getProperties()).rejects.toThrow();
});

it('refuses an account it would silently replace', async () => {
  const config = { dataDir: join(dir, 'wrong'), port: 0, tls, containers: [] };
  await expect(startStorage({ ...config, account: { ...account, name: 'Not_A_Name' } })).rejects.toThrow(
    /lower-case/,
  );
  await expect(startStorage({ ...config, account: { ...account, key: '?' } })).rejects.toThrow(/base64/);
});

it('keeps blobs over a clean end, and ends when its parent closes stdin', async () => {
  const config = { dataDir: join(dir, 'process'), port: 0, tls, account, containers: ['output'] };
  const configFile = join(dir, 'storage.json');
  await writeFile(configFile, JSON.stringify(config));
  const start = async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'main.ts'), configFile]);
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { blobEndpoint } = JSON.parse(line) as { blobEndpoint: string };
    const key = new StorageSharedKeyCredential(account.name, account.key);
    return {
      child,
      blob: new BlobServiceClient(blobEndpoint, key).getContainerClient('output').getBlockBlobClient('kept'),
    };
  };
  const first = await start();
  await first.blob.upload('still here', 10);
  first.child.stdin.end();
  expect(await once(first.child, 'exit')).toEqual([0, null]);
  const second = await start();
  expect(await text(second.blob)).toBe('still here');
  second.child.kill('SIGTERM');
  expect(await once(second.child, 'exit')).toEqual([0, null]);
});
