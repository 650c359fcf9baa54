import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { type Call, type RunningServer, startServer } from '../../sdk/test/contractServer.ts';
import { type RunningIssuer, startIssuer } from './issuer.ts';
import { aWorkplace, type Workplace } from './runLr.ts';

// Each `lr` is a process of its own, and machines are slow at times.
vi.setConfig({ testTimeout: 90_000 });

const lrClient = 'f0523bd8-7369-41ce-a5ba-9243aed60001';
const automation = { id: 'b71e0d94-3f25-4c8a-a1d6-5e0f6a920001', secret: 'local-only-contoso-automation' };
const userScope = 'api://live-response/.default';

let issuer: RunningIssuer;
let api: RunningServer;
let tokens: string[];
let place: Workplace;

beforeAll(async () => {
  issuer = await startIssuer();
  setDefaultCACertificates([...getCACertificates('default'), await readFile(issuer.caFile, 'utf8')]);
});
afterAll(() => issuer.close());
beforeEach(async () => {
  tokens = [];
  api = await startServer((call: Call) => {
    tokens.push(String(call.headers.authorization).replace('Bearer ', ''));
    call.json(200, { devices: [], next: null });
  });
  place = await aWorkplace();
});
afterEach(async () => {
  await place.remove();
  await api.close();
});

const where = (clientId: string) => [
  ...['--server', api.address, '--authority', issuer.address, '--tenant', 'contoso'],
  ...['--client-id', clientId, '--ca-file', issuer.caFile],
];
const claims = (token: string | undefined) =>
  JSON.parse(Buffer.from((token ?? '').split('.')[1] ?? '', 'base64url').toString()) as Record<
    string,
    unknown
  >;
const cacheFile = () => join(place.folder, 'tokens', 'default.json');
const expireToken = async (changes: object = {}) => {
  const cached = JSON.parse(await readFile(cacheFile(), 'utf8')) as object;
  await writeFile(
    cacheFile(),
    JSON.stringify({ ...cached, expiresAt: new Date().toISOString(), ...changes }),
  );
};

const signInAsAna = async (): Promise<void> => {
  const running = place.start(['login', '--device-code', ...where(lrClient)]);
  const [, page = '', code = ''] = await running.saw(/Open (\S+) in a browser and enter the code (\S+)/);
  const approved = await fetch(`${page}/approve`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user_code: code, user: 'ana' }),
  });
  expect(approved.status).toBe(200);
  const { exitCode, stdout } = await running.finished;
  expect(stdout).toContain('as Ana Duarte');
  expect(exitCode).toBe(0);
};

it('signs a person in by device code, uses the token, and refreshes it', async () => {
  await signInAsAna();
  expect((await stat(cacheFile())).mode & 0o777).toBe(0o600);
  expect((await place.run(['devices'])).exitCode).toBe(0);
  expect(claims(tokens[0])).toMatchObject({ name: 'Ana Duarte', azp: lrClient });
  await expireToken();
  expect((await place.run(['devices'])).exitCode).toBe(0);
  expect(tokens[1]).not.toBe(tokens[0]);
  expect(claims(tokens[1])).toMatchObject({ name: 'Ana Duarte' });
  await expireToken({ refreshToken: undefined });
  const { exitCode, stderr } = await place.run(['devices']);
  expect(stderr).toContain('Sign in: lr login');
  expect(exitCode).toBe(77);
});

it('signs a client in with a secret from the environment, and again when the token is out of time', async () => {
  const args = ['login', '--client-credentials', ...where(automation.id), '--scope', userScope];
  const env = { LR_CLIENT_SECRET: automation.secret };
  const first = await place.start(args, env).finished;
  expect(first.stderr).toBe('');
  expect(first.exitCode).toBe(0);
  await expireToken();
  const again = await place.start(['devices'], env).finished;
  expect(again.exitCode).toBe(0);
  expect(claims(tokens[0])).toMatchObject({ azp: automation.id });
  for (const name of await readdir(place.folder, { recursive: true })) {
    const path = join(place.folder, name);
    if ((await stat(path)).isFile()) expect(await readFile(path, 'utf8')).not.toContain(automation.secret);
  }
  await expireToken();
  const withoutSecret = await place.run(['devices']);
  expect(withoutSecret.exitCode).toBe(77);
  expect(withoutSecret.stderr).toContain('LR_CLIENT_SECRET');
});

it('takes the secret from the file that the profile names', async () => {
  const profile = {
    server: api.address,
    authority: issuer.address,
    tenant: 'contoso',
    clientId: automation.id,
    scope: userScope,
    caFile: issuer.caFile,
    flow: 'client-credentials',
    secretFile: 'secret.txt',
  };
  await writeFile(join(place.folder, 'secret.txt'), `${automation.secret}\n`);
  await writeFile(
    join(place.folder, 'config.json'),
    JSON.stringify({ current: 'robot', profiles: { robot: profile } }),
  );
  expect((await place.run(['devices'])).exitCode).toBe(0);
  expect(claims(tokens[0])).toMatchObject({ azp: automation.id });
});

it('says what the issuer refused, and keeps nothing', async () => {
  const env = { LR_CLIENT_SECRET: 'wrong' };
  const { exitCode, stderr } = await place.start(
    ['login', '--client-credentials', ...where(automation.id)],
    env,
  ).finished;
  expect(stderr).toContain('AADSTS7000215');
  expect(exitCode).toBe(77);
  expect(await readdir(place.folder)).toEqual([]);
});

it('does not give the tokens of one server to another', async () => {
  await signInAsAna();
  const path = join(place.folder, 'config.json');
  const text = await readFile(path, 'utf8');
  const other = await startServer((call) => call.json(200, { devices: [], next: null }));
  await writeFile(path, text.replace(api.address, other.address));
  expect((await place.run(['devices'])).exitCode).toBe(77);
  expect(other.calls).toEqual([]);
  await other.close();
});
