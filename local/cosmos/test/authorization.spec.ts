import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TokenCredential } from '@azure/core-auth';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../certificates/authority.ts';
import { type CosmosUnderTest, refusal, startedCosmos } from './startedCosmos.ts';

const issuer = 'https://localhost:1/tenant/v2.0';
const writer = '00000000-0000-4000-8000-000000000001';
const reader = '00000000-0000-4000-8000-000000000002';

let cosmos: CosmosUnderTest;
let dir: string;
let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let keyRequests = 0;
let closeKeyServer: () => Promise<void>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cosmos-keys-'));
  const tls = await createAuthority(dir);
  keys = await generateKeyPair('RS256');
  const jwks = JSON.stringify({
    keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }],
  });
  const keyServer = createServer(
    { cert: await readFile(tls.certFile), key: await readFile(tls.keyFile) },
    (_request, response) => {
      keyRequests += 1;
      response.end(jwks);
    },
  );
  await new Promise<void>((resolve) => keyServer.listen(0, '127.0.0.1', resolve));
  closeKeyServer = () => new Promise((resolve) => keyServer.close(() => resolve()));
  const jwksUrl = `https://localhost:${(keyServer.address() as AddressInfo).port}/keys`;
  cosmos = await startedCosmos({
    entra: {
      issuers: [issuer],
      jwksUrl,
      caFile: tls.caFile,
      principals: { [writer]: 'contributor', [reader]: 'reader' },
    },
    databases: [{ id: 'app', containers: [{ id: 'events', partitionKey: '/pk' }] }],
  });
});
afterAll(async () => {
  await cosmos.close();
  await closeKeyServer();
  await rm(dir, { recursive: true, force: true });
});

async function token(claims: JWTPayload, key = keys.privateKey): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ iss: issuer, aud: cosmos.endpoint, iat: now, exp: now + 600, ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
    .sign(key);
}

function events(jwt: string | Promise<string>) {
  const credential: TokenCredential = {
    getToken: async () => ({ token: await jwt, expiresOnTimestamp: Date.now() + 600_000 }),
  };
  return cosmos.client({ aadCredentials: credential }).database('app').container('events');
}

describe('an Entra identity', () => {
  it('reads and writes items as contributor', async () => {
    const container = events(token({ oid: writer }));
    expect((await container.items.create({ id: 'a', pk: 'A' })).statusCode).toBe(201);
    expect((await container.item('a', 'A').read()).statusCode).toBe(200);
    const answer = await container.items.batch(
      [{ operationType: 'Create', resourceBody: { id: 'b', pk: 'A' } as never }],
      'A',
    );
    expect(answer.code).toBe(200);
    expect(
      (await container.items.query('SELECT * FROM c', { partitionKey: 'A' }).fetchAll()).resources,
    ).toHaveLength(2);
  });

  it('is verified once, not with every request', async () => {
    expect(keyRequests).toBe(1);
  });

  it('reads but does not write as reader', async () => {
    const container = events(token({ oid: reader, aud: 'https://cosmos.azure.com' }));
    expect((await container.item('a', 'A').read()).statusCode).toBe(200);
    for (const write of [
      () => container.items.create({ id: 'x', pk: 'A' }),
      () => container.items.upsert({ id: 'a', pk: 'A' }),
      () => container.item('a', 'A').delete(),
      () => container.items.batch([{ operationType: 'Delete', id: 'a' }], 'A'),
    ]) {
      expect((await refusal(write())).message).toMatch(/Request blocked by Auth/);
    }
    expect(await refusal(container.item('a', 'A').delete())).toMatchObject({ code: 403, substatus: 5302 });
  });

  it('never makes or deletes databases and containers', async () => {
    const container = events(token({ oid: writer }));
    const database = container.database;
    expect(await refusal(database.containers.create({ id: 'n', partitionKey: '/pk' }))).toMatchObject({
      code: 403,
      substatus: 5300,
    });
    expect(await refusal(database.client.databases.create({ id: 'n' }))).toMatchObject({
      code: 403,
      substatus: 5300,
    });
    expect(await refusal(container.delete())).toMatchObject({ code: 403, substatus: 5300 });
    expect((await container.read()).statusCode).toBe(200);
  });

  it('without a role is refused', async () => {
    const read = events(token({ oid: '00000000-0000-4000-8000-000000000009' }))
      .item('a', 'A')
      .read();
    expect((await refusal(read)).code).toBe(403);
  });

  it.each([
    ['another audience', { aud: 'https://storage.azure.com' }],
    ['another issuer', { iss: 'https://localhost:1/other/v2.0' }],
    ['no time left', { exp: Math.floor(Date.now() / 1000) - 5 }],
    ['no object id', { oid: undefined }],
  ])('with a token for %s is refused', async (_what, claims) => {
    const read = events(token({ oid: writer, ...claims } as JWTPayload))
      .item('a', 'A')
      .read();
    expect((await refusal(read)).code).toBe(401);
  });

  it('with a token that someone else signed is refused', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    const read = events(token({ oid: writer }, privateKey))
      .item('a', 'A')
      .read();
    expect((await refusal(read)).code).toBe(401);
  });
});

it('refuses a wrong master key', async () => {
  const key = Buffer.from('another key of the same kind').toString('base64');
  expect((await refusal(cosmos.client({ key }).databases.readAll().fetchAll())).code).toBe(401);
});

it('keeps its own addresses to the master key', async () => {
  const headers = {
    authorization: encodeURIComponent(`type=aad&ver=1.0&sig=${await token({ oid: writer })}`),
  };
  const { request } = await import('node:https');
  const status = await new Promise((resolve, reject) => {
    request(`${cosmos.endpoint}/_local/counters`, { agent: cosmos.agent, headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
  expect(status).toBe(401);
});
