import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CryptoKey,
  decodeJwt,
  decodeProtectedHeader,
  generateKeyPair,
  importJWK,
  type JWK,
  SignJWT,
} from 'jose';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import {
  aKeyPair,
  type EnrolledDevice,
  enrolDevices,
  type PlayedAgent,
  playAgent,
  requestEnrolment,
} from '../support/enrolledDevices.ts';
import { openPlayed } from '../support/playedSession.ts';
import { type RawAnswer, rawCall, rawUser } from '../support/rawCalls.ts';
import { inSession, responder } from '../support/responders.ts';

let device: EnrolledDevice;
let agent: PlayedAgent;
let sessionId = '';
let commandId = '';
let version = 0;

const versionNow = async (): Promise<number> => (await responder('ana').session(sessionId)).version;

beforeAll(async () => {
  const ana = responder('ana');
  [device] = (await enrolDevices(1, 'misused')) as [EnrolledDevice];
  agent = await playAgent(device);
  ({ sessionId } = await openPlayed(ana, device, agent, ['dir', 'run']));
  ({ commandId } = await ana.issueCommand(sessionId, 'jobs'));
  version = await versionNow();
});

afterAll(async () => {
  await agent.close();
  await responder('ana').disconnect(sessionId);
});

const verdict = ({ status, body }: RawAnswer): readonly [number, unknown] => [status, body['code']];

const refusals: readonly (readonly [string, string, number, string])[] = [
  ['an empty line', '', 400, 'LINE_EMPTY'],
  ['only spaces', '   ', 400, 'LINE_EMPTY'],
  ['an unknown command', 'dri /', 400, 'UNKNOWN_COMMAND'],
  ['an unknown flag', 'dir / -recursive', 400, 'UNKNOWN_FLAG'],
  ['a missing parameter', 'run', 400, 'PARAMETER_MISSING'],
  ['too many parameters', 'dir / /etc', 400, 'TOO_MANY_PARAMETERS'],
  ['a parameter twice', 'run -script a -script b', 400, 'PARAMETER_TWICE'],
  ['an open quote', 'dir "/etc', 400, 'QUOTE_UNCLOSED'],
  ['two commands', 'dir / & dir /', 400, 'BACKGROUND_INVALID'],
  ['an unknown format', 'dir / -output xml', 400, 'OUTPUT_INVALID'],
  ['a command of another platform', 'registry HKEY_LOCAL_MACHINE', 400, 'NOT_ON_PLATFORM'],
  ['a command that the agent does not announce', 'scan', 400, 'NOT_SUPPORTED_BY_AGENT'],
  ['NUL', 'dir /\0', 400, 'LINE_NOT_TEXT'],
  ['a newline', 'dir /\nrun x.sh', 400, 'LINE_NOT_TEXT'],
  ['an escape sequence', 'dir \u001b[2J', 400, 'LINE_NOT_TEXT'],
  ['half of a surrogate pair', 'dir \ud83d', 400, 'LINE_NOT_TEXT'],
  ['the other half', 'dir \ude00x', 400, 'LINE_NOT_TEXT'],
  ['10,241 bytes', `dir "${'a'.repeat(10_241 - 6)}"`, 400, 'LINE_TOO_LONG'],
  ['10,241 bytes of longer characters', `dir "${'é'.repeat(5_117)}a"`, 400, 'LINE_TOO_LONG'],
];

it.each(refusals)('refuses %s', async (_what, line, status, code) => {
  expect(verdict(await rawUser('ana').issue(sessionId, line))).toEqual([status, code]);
  expect(await versionNow()).toBe(version);
});

it('says what was probably meant, and why a command cannot run', async () => {
  const ana = rawUser('ana');
  const { body: typo } = await ana.issue(sessionId, 'proceses');
  expect(typo).toMatchObject({ code: 'UNKNOWN_COMMAND', suggestion: 'processes' });
  expect(typo['detail']).toContain('Did you mean processes?');
  const { body: unknown } = await ana.issue(sessionId, 'scan');
  expect(unknown['detail']).toContain('not supported by this agent version');
  const answer = await ana.issue(sessionId, 'registry HKEY_LOCAL_MACHINE');
  expect(answer.body['detail']).toContain('only on Windows');
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
});

it('takes a line of exactly 10,240 bytes and refuses one byte more', async () => {
  const ana = responder('ana');
  await inSession(ana, async (session) => {
    const line = `dir "${'a'.repeat(10_240 - 6)}"`;
    expect(Buffer.byteLength(line)).toBe(10_240);
    const command = await ana.issueCommand(session.sessionId, line, { wait: 60 });
    expect(command).toMatchObject({ state: 'Failed', line });
    expect(command.error).not.toBeNull();
    const longer = await rawUser('ana').issue(session.sessionId, line.replace('"a', '"aa'));
    expect(verdict(longer)).toEqual([400, 'LINE_TOO_LONG']);
  });
});

it('needs the right that the command takes', async () => {
  const answer = await rawUser('ben').issue(sessionId, 'run x.sh');
  expect(verdict(answer)).toEqual([403, 'RIGHT_MISSING']);
  expect(answer.body['detail']).toContain('LiveResponse.Advanced');
  expect(verdict(await rawUser('dan').issue(sessionId, 'dir /'))).toEqual([403, 'FORBIDDEN']);
  expect(verdict(await rawUser('dan').open(device.deviceId))).toEqual([403, 'FORBIDDEN']);
  expect(verdict(await rawUser('dan').call('GET', `/sessions/${sessionId}`))).toEqual([403, 'FORBIDDEN']);
  expect(verdict(await rawUser('dan').call('GET', '/devices'))).toEqual([403, 'FORBIDDEN']);
  const patch = { body: { limits: { idle: 60 } } };
  expect(verdict(await rawUser('ana').call('PATCH', '/settings', patch))).toEqual([403, 'FORBIDDEN']);
  expect(verdict(await rawUser('ben').call('DELETE', `/devices/${device.deviceId}`))).toEqual([
    403,
    'FORBIDDEN',
  ]);
  expect(verdict(await rawUser('ben').call('POST', '/enrolment-tokens', { body: {} }))).toEqual([
    403,
    'FORBIDDEN',
  ]);
  expect(await versionNow()).toBe(version);
});

it('refuses bodies that are no JSON or have another shape', async () => {
  const ana = rawUser('ana');
  const headers = () => ({ 'idempotency-key': randomUUID() });
  const commands = `/sessions/${sessionId}/commands`;
  for (const text of [
    '',
    '{',
    'null',
    '[]',
    '"dir /"',
    '{"line":5}',
    '{"line":"dir /","x":1}',
    '{"line":null}',
    '{"line":"a\u0000"}',
  ]) {
    const answer = await ana.call('POST', commands, { text, headers: headers() });
    expect([text, ...verdict(answer)]).toEqual([text, 400, 'BODY_INVALID']);
  }
  const { deviceId } = device;
  for (const body of [
    {},
    { deviceId },
    { deviceId, reason: '' },
    { deviceId, reason: '   ' },
    { deviceId, reason: 'x'.repeat(501) },
    { deviceId, reason: 'x', sessionId },
    { deviceId: 5, reason: 'x' },
    { deviceId: 'x'.repeat(129), reason: 'x' },
  ]) {
    const answer = await ana.call('POST', '/sessions', { body, headers: headers() });
    expect(verdict(answer)).toEqual([400, 'BODY_INVALID']);
  }
  const cleo = rawUser('cleo');
  for (const [body, code] of [
    [{ limits: { nonsense: 1 } }, 'BODY_INVALID'],
    [{ limits: { idle: '60' } }, 'BODY_INVALID'],
    [{ limits: { idle: 1 } }, 'LIMIT_OUT_OF_BOUNDS'],
    [{ limits: { openSessionsPerTenant: 201 } }, 'LIMIT_OUT_OF_BOUNDS'],
    [{ switches: { liveResponse: 'no' } }, 'BODY_INVALID'],
  ] as const) {
    const before = await cleo.call('GET', '/settings');
    expect(verdict(await cleo.call('PATCH', '/settings', { body }))).toEqual([400, code]);
    expect((await cleo.call('GET', '/settings')).body).toEqual(before.body);
  }
  expect(await versionNow()).toBe(version);
});

it('needs an Idempotency-Key that is a UUID', async () => {
  const ana = rawUser('ana');
  for (const key of [undefined, '', 'x', '123', `${randomUUID()}x`, randomUUID().replaceAll('-', '')]) {
    const headers = key === undefined ? {} : { 'idempotency-key': key };
    const command = await ana.call('POST', `/sessions/${sessionId}/commands`, {
      body: { line: 'jobs' },
      headers,
    });
    expect([key, ...verdict(command)]).toEqual([key, 400, 'IDEMPOTENCY_KEY_MISSING']);
    const body = { deviceId: inject('cloud').device.deviceId, reason: 'test' };
    const session = await ana.call('POST', '/sessions', { body, headers });
    expect([key, ...verdict(session)]).toEqual([key, 400, 'IDEMPOTENCY_KEY_MISSING']);
  }
  expect(await versionNow()).toBe(version);
});

it('lets nobody in whose token is not right in every respect', async () => {
  const real = await rawUser('ana').token();
  const claims = decodeJwt(real);
  const header = decodeProtectedHeader(real) as { readonly alg: string; readonly kid: string };
  const { dataDir, tenants } = inject('cloud');
  const jwk = JSON.parse(await readFile(join(dataDir, 'identity', 'signing-key.json'), 'utf8')) as JWK;
  const key = (await importJWK(jwk, 'RS256')) as CryptoKey;
  const foreign = await generateKeyPair('RS256');
  const now = Math.floor(Date.now() / 1000);
  const signed = (changes: Readonly<Record<string, unknown>>, by: CryptoKey = key): Promise<string> =>
    new SignJWT({ ...claims, ...changes }).setProtectedHeader(header).sign(by);
  const statusWith = async (token: string | undefined): Promise<readonly [number, unknown]> =>
    verdict(await rawCall(token, 'GET', `/sessions/${sessionId}`));
  expect(await statusWith(await signed({})), 'the same claims, rightly signed').toEqual([200, undefined]);

  const [head = '', payload = '', signature = ''] = real.split('.');
  const changed = Buffer.from(JSON.stringify({ ...claims, roles: ['Settings.Manage'] })).toString(
    'base64url',
  );
  const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const [contoso, fabrikam] = tenants;
  const wrong: Readonly<Record<string, string | undefined>> = {
    none: undefined,
    'no token at all': 'nonsense',
    expired: await signed({ exp: now - 120, iat: now - 3_700, nbf: now - 3_700 }),
    'not valid yet': await signed({ nbf: now + 600, exp: now + 3_600 }),
    'without expiry': await signed({ exp: undefined }),
    'for another audience': await signed({ aud: 'https://storage.azure.com' }),
    'from another issuer': await signed({ iss: `https://login.microsoftonline.com/${contoso?.id}/v2.0` }),
    'of a tenant that is not served': await signed({ tid: randomUUID() }),
    'of one tenant from the issuer of another': await signed({ tid: fabrikam?.id }),
    'without a subject': await signed({ oid: undefined }),
    'signed by another key': await signed({}, foreign.privateKey),
    'with claims changed after it was signed': `${head}.${changed}.${signature}`,
    'without its signature': `${head}.${payload}.`,
    'that names no algorithm': `${base64({ alg: 'none', typ: 'JWT' })}.${payload}.`,
  };
  for (const [what, token] of Object.entries(wrong))
    expect([what, ...(await statusWith(token))]).toEqual([what, 401, 'UNAUTHENTICATED']);
  const symmetric = await new SignJWT({ ...claims })
    .setProtectedHeader({ ...header, alg: 'HS256' })
    .sign(Buffer.from(JSON.stringify({ n: jwk.n, e: jwk.e })));
  expect(await statusWith(symmetric)).toEqual([401, 'UNAUTHENTICATED']);
  const basic = await rawCall(undefined, 'GET', `/sessions/${sessionId}`, {
    headers: { authorization: `Basic ${real}` },
  });
  expect(verdict(basic)).toEqual([401, 'UNAUTHENTICATED']);
  expect(basic.headers.get('www-authenticate')).toBe('Bearer');
  for (const [method, path] of [
    ['POST', '/sessions'],
    ['POST', `/sessions/${sessionId}/commands`],
    ['DELETE', `/sessions/${sessionId}`],
    ['PATCH', '/settings'],
    ['DELETE', `/devices/${device.deviceId}`],
  ] as const) {
    const answer = await rawCall(undefined, method, path, {
      body: { line: 'jobs', deviceId: device.deviceId, reason: 'x' },
      headers: { 'idempotency-key': randomUUID() },
    });
    expect([method, path, ...verdict(answer)]).toEqual([method, path, 401, 'UNAUTHENTICATED']);
  }
  expect(await versionNow()).toBe(version);
});

it('tells another tenant nothing: what is there is answered like what is not', async () => {
  const eve = rawUser('eve', 'fabrikam');
  const body = { line: 'jobs' };
  const fileId = randomUUID();
  const asked = (session: string, command: string, deviceId: string) =>
    [
      ['GET', `/sessions/${session}`],
      ['DELETE', `/sessions/${session}`],
      ['GET', `/sessions/${session}/events`],
      ['GET', `/sessions/${session}/commands`],
      ['POST', `/sessions/${session}/commands`],
      ['GET', `/sessions/${session}/commands/${command}`],
      ['POST', `/sessions/${session}/commands/${command}/cancel`],
      ['POST', `/sessions/${session}/commands/${command}/background`],
      ['GET', `/sessions/${session}/commands/${command}/output`],
      ['GET', `/sessions/${session}/files`],
      ['GET', `/sessions/${session}/files/${fileId}/download`],
      ['GET', `/devices/${deviceId}`],
      ['DELETE', `/devices/${deviceId}`],
    ] as const;
  const answerTo = async (method: string, path: string) => {
    const answer = await eve.call(method, path, {
      ...(method === 'POST' ? { body } : {}),
      headers: { 'idempotency-key': randomUUID(), 'x-correlation-id': 'same' },
    });
    return { status: answer.status, body: answer.body };
  };
  const unknownDevice = 'f'.repeat(40);
  const there = asked(sessionId, commandId, device.deviceId);
  const notThere = asked(randomUUID(), randomUUID(), unknownDevice);
  for (const [index, [method, path]] of there.entries()) {
    const [, otherPath = ''] = notThere[index] ?? [];
    const foreign = await answerTo(method, path);
    expect([method, path, foreign.status]).toEqual([method, path, 404]);
    expect(foreign).toEqual(await answerTo(method, otherPath));
  }
  const [foreign, unknown] = [await eve.open(device.deviceId), await eve.open(unknownDevice)];
  expect(verdict(foreign)).toEqual([404, 'DEVICE_UNKNOWN']);
  expect(foreign.body['detail']).toBe(unknown.body['detail']);

  const everything = [
    await eve.call('GET', '/sessions'),
    await eve.call('GET', '/devices'),
    await eve.call('GET', '/settings'),
  ];
  expect(everything.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(JSON.stringify(everything.map(({ body: shown }) => shown))).not.toContain(device.deviceId);
  expect(JSON.stringify(everything.map(({ body: shown }) => shown))).not.toContain(sessionId);
  // An id that is taken elsewhere can be used here: streams of tenants know nothing of each other.
  expect(await versionNow()).toBe(version);
  expect((await responder('ana').device(device.deviceId)).status).toBe('enrolled');
});

it('answers what is not served with 404, whatever it looks like', async () => {
  const ana = rawUser('ana');
  for (const [method, path] of [
    ['GET', '/nothing'],
    ['PUT', '/sessions'],
    ['DELETE', '/sessions'],
    ['GET', `/sessions/${sessionId}/nothing`],
    ['GET', '/sessions/not-a-uuid'],
    ['GET', `/sessions/${sessionId}/commands/not-a-uuid`],
    ['GET', `/sessions/${sessionId}/commands/${randomUUID()}`],
    ['GET', `/sessions/${sessionId}/commands/${randomUUID()}/output`],
    ['POST', `/sessions/${sessionId}/commands/${randomUUID()}/cancel`],
    ['POST', `/sessions/${sessionId}/commands/${randomUUID()}/background`],
    ['GET', `/sessions/${sessionId}/files/${randomUUID()}/download`],
    ['GET', '/sessions/%00'],
    ['GET', '/devices/%00'],
    ['GET', '/devices/a%2Fb'],
    ['GET', '/devices/..%2F..%2F'],
    ['GET', `/devices/${'x'.repeat(3_000)}`],
    ['DELETE', `/devices/${'x'.repeat(3_000)}`],
  ] as const) {
    const { status } = await ana.call(method, path);
    expect([method, path, status]).toEqual([method, path, 404]);
  }
  expect(await versionNow()).toBe(version);
});

it('refuses queries that make no sense', async () => {
  const ana = rawUser('ana');
  for (const path of [
    `/sessions/${sessionId}/events?after=-1`,
    `/sessions/${sessionId}/events?after=x`,
    `/sessions/${sessionId}/events?limit=0`,
    `/sessions/${sessionId}/events?limit=1001`,
    `/sessions/${sessionId}/commands?state=Nothing`,
    `/sessions/${sessionId}/commands?limit=501`,
    '/sessions?status=Nothing',
  ]) {
    expect([path, ...verdict(await ana.call('GET', path))]).toEqual([path, 400, 'QUERY_INVALID']);
  }
});

it('takes commands only while the session is connected', async () => {
  const ana = rawUser('ana');
  const [silent] = (await enrolDevices(1, 'silent')) as [EnrolledDevice];
  const opened = await ana.open(silent.deviceId);
  const opening = String(opened.body['sessionId']);
  for (const line of ['dir /', 'jobs'])
    expect(verdict(await ana.issue(opening, line))).toEqual([409, 'SESSION_NOT_CONNECTED']);
  await responder('ana').disconnect(opening);
  const ended = await ana.issue(opening, 'jobs');
  expect(verdict(ended)).toEqual([409, 'SESSION_ENDED']);
  expect(ended.body['end']).toBe('Disconnected');
});

it('refuses enrolments without a valid token and a proof of the key, and counts the uses', async () => {
  const { token } = await responder('ana').createEnrolmentToken({ uses: 1 });
  const keys = aKeyPair();
  const asked = async (changes: Readonly<Record<string, unknown>>, given = token) =>
    verdict(await requestEnrolment(given, keys, 'counted', changes));
  expect(await asked({ proof: 'x.y.z' })).toEqual([403, 'PROOF_INVALID']);
  expect(await asked({ publicKey: aKeyPair().publicKey })).toEqual([403, 'PROOF_INVALID']);
  expect(await asked({ publicKey: { kty: 'OKP', crv: 'Ed25519', x: '!' } })).toEqual([403, 'PROOF_INVALID']);
  expect(await asked({ platform: 'plan9' })).toEqual([400, 'BODY_INVALID']);
  expect(await asked({}, 'x')).toEqual([403, 'ENROLMENT_TOKEN_INVALID']);
  expect(await asked({}, `${token}x`)).toEqual([403, 'ENROLMENT_TOKEN_INVALID']);
  expect(await asked({ token: `${token}x` })).toEqual([403, 'PROOF_INVALID']);
  // None of that used the token up; the same device asking again is no second use; another device is.
  const first = await requestEnrolment(token, keys, 'counted');
  const again = await requestEnrolment(token, keys, 'counted');
  expect([first.status, again.status]).toEqual([201, 200]);
  expect(again.body['deviceId']).toBe(first.body['deviceId']);
  const another = await requestEnrolment(token, aKeyPair(), 'one too many');
  expect(verdict(another)).toEqual([403, 'ENROLMENT_TOKEN_INVALID']);
});

it('has changed nothing in the session with all that', async () => {
  expect(await versionNow()).toBe(version);
});
