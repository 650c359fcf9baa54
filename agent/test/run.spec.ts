import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { LibraryFile } from '../../contracts/device.ts';
import { signFile, signerKeyOf } from '../../evidence/scriptSignature.ts';
import { enrol } from '../enrol.ts';
import { readStat } from '../platform/linux/procfs.ts';
import { AgentProcess } from './support/agentProcess.ts';
import { type Ended, enrolmentToken, FakeBackend } from './support/fakeBackend.ts';

// Every test starts processes, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let backend: FakeBackend;
let agent: AgentProcess;
let state: string;
let deviceId: string;
let place: string;
let payloads: ReturnType<FakeBackend['payloads']>;
const sessionId = randomUUID();

beforeAll(async () => {
  backend = await FakeBackend.start();
  // A blank in its path, as a folder of a user may have.
  state = join(await mkdtemp(join(tmpdir(), 'agent-state-')), 'with blank');
  mkdirSync(state);
  place = await mkdtemp(join(tmpdir(), 'agent-place-'));
  const said = await enrol({ server: backend.server, token: enrolmentToken, state, caFile: backend.caFile });
  deviceId = /Enrolled as ([0-9a-f]{40})/.exec(said)?.[1] ?? '';
  agent = new AgentProcess(state, { SECRET_OF_THE_AGENT: 'x' });
  await agent.ready;
  payloads = backend.payloads(deviceId, sessionId, 1);
  await backend.read(sessionId);
  await backend.send(payloads.open());
  await backend.until('session.opened', () => backend.messages.find(({ kind }) => kind === 'session.opened'));
});
afterAll(async () => {
  await agent.kill();
  expect(backend.faults).toEqual([]);
  await backend.close();
  await rm(join(state, '..'), { recursive: true, force: true });
  await rm(place, { recursive: true, force: true });
});

type OutputPart = Ended['body']['output'][number];

interface Ran {
  readonly commandId: string;
  readonly ended: Promise<Ended['body']>;
}

const start = async (
  name: 'run' | 'putfile',
  fileName: string,
  content: string | Buffer,
  {
    parameters,
    claims = {},
    ...more
  }: {
    parameters?: string;
    claims?: Partial<LibraryFile>;
    flags?: string[];
    timeLimit?: number;
    line?: string;
    user?: string;
  } = {},
): Promise<Ran> => {
  const commandId = randomUUID();
  const { libraryFile, ticket } = await backend.libraryFile(fileName, content, claims);
  await backend.send(
    payloads.execute(commandId, name, {
      parameters: parameters === undefined ? {} : { parameters },
      libraryFile,
      user: 'ana@example.org',
      ...more,
    }),
    { ...backend.tickets(sessionId, commandId), library: ticket },
  );
  return { commandId, ended: backend.ended(commandId, 40_000).then(({ body }) => body) };
};

const run = async (script: string, more: Parameters<typeof start>[3] = {}) => {
  const { commandId, ended } = await start('run', 'script.sh', script, more);
  return { commandId, body: await ended };
};

const partsOf = (commandId: string): OutputPart[] =>
  backend.messages.flatMap((message) => {
    if (message.kind === 'command.output' && message.body.commandId === commandId) return message.body.parts;
    return message.kind === 'command.ended' && message.body.commandId === commandId
      ? message.body.output
      : [];
  });

/** What each stream printed, out of messages and blob. */
const printed = async (commandId: string) => {
  const parts = partsOf(commandId);
  const stored = parts.some(({ blob }) => blob !== null)
    ? await backend.blob('output', `${sessionId}/${commandId}`).downloadToBuffer()
    : Buffer.alloc(0);
  const of = (stream: OutputPart['stream']): Buffer =>
    Buffer.concat(
      parts
        .filter((part) => part.stream === stream)
        .map(({ inline, offset, size }) =>
          inline === null
            ? stored.subarray(offset, offset + size)
            : inline.bytes === undefined
              ? Buffer.from(inline.text)
              : Buffer.from(inline.bytes, 'base64'),
        ),
    );
  return { stdout: of('stdout'), stderr: of('stderr'), result: of('result'), parts };
};

const textOf = async (commandId: string) => {
  const { stdout, stderr } = await printed(commandId);
  return { stdout: stdout.toString(), stderr: stderr.toString() };
};

const until = async (commandId: string, text: string): Promise<void> => {
  await backend.until(text, () =>
    partsOf(commandId).find(({ inline }) => inline?.text.includes(text) === true),
  );
};

describe('run', () => {
  it('runs a script, keeps stdout and stderr apart, and tells its exit code', async () => {
    const { commandId, body } = await run('echo out; echo err >&2; exit 7');
    expect(body).toMatchObject({ state: 'Completed', exitCode: 7, error: null, processesGone: true });
    expect(await textOf(commandId)).toEqual({ stdout: 'out\n', stderr: 'err\n' });
    expect((await printed(commandId)).result).toHaveLength(0);
  });

  it('shows both streams while it runs, in the order in which they were written', async () => {
    const { commandId, ended } = await start(
      'run',
      'script.sh',
      `printf 'no line end'; until [ -e "${place}/go" ]; do sleep 0.05; done; echo '!' >&2; sleep 0.2; echo end`,
    );
    await until(commandId, 'no line end');
    await writeFile(join(place, 'go'), '');
    await ended;
    const { parts } = await printed(commandId);
    expect(parts.map(({ stream, inline }) => [stream, inline?.text])).toEqual([
      ['stdout', 'no line end'],
      ['stderr', '!\n'],
      ['stdout', 'end\n'],
    ]);
  });

  it('gives a script streams that it can open by name, and nothing to read', async () => {
    const { commandId, body } = await run(
      'echo one > /dev/stdout; echo two > /dev/stderr; echo three | tee /dev/stderr; cat; exit 0',
    );
    expect(body.exitCode).toBe(0);
    const { stdout, stderr } = await textOf(commandId);
    expect(stdout).toContain('one\n');
    expect(stdout).toContain('three\n');
    expect(stderr).toBe('two\nthree\n');
  });

  it('gives exactly the environment that is documented', async () => {
    const { commandId } = await run('#!/bin/sh\nexec env -0');
    const environment = Object.fromEntries(
      (await printed(commandId)).stdout
        .toString()
        .split('\0')
        .filter((line) => line !== '')
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    // What the shell itself adds.
    for (const own of ['PWD', 'SHLVL', '_', 'OLDPWD']) delete environment[own];
    expect(environment).toEqual({
      PATH: expect.stringContaining('/bin'),
      LANG: expect.any(String),
      LIVE_RESPONSE_USER: 'ana@example.org',
      LIVE_RESPONSE_SESSION: sessionId,
      LIVE_RESPONSE_COMMAND: commandId,
      LIVE_RESPONSE_EXECUTOR: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  });

  it('passes parameters as words, whatever is in them', async () => {
    const { commandId } = await run('printf "%s\\n" "$#" "$@"', {
      parameters:
        String.raw`-depth 2 'a b' "c \"d\" e" 'sp  ace' ü日本 \'x\' '' * ~ C:\\temp "back\slash" 'it'"'"'s'` +
        ' `id`',
    });
    expect((await textOf(commandId)).stdout.split('\n')).toEqual([
      '14',
      '-depth',
      '2',
      'a b',
      'c "d" e',
      'sp  ace',
      'ü日本',
      "'x'",
      '',
      '*',
      '~',
      'C:\\temp',
      'back\\slash',
      "it's",
      '`id`',
      '',
    ]);
  });

  it('works in the directory of the session and says when that is gone', async () => {
    const { commandId } = await run('pwd');
    expect((await textOf(commandId)).stdout).toBe('/\n');
  });

  it('chooses the interpreter by the first line, and refuses others', async () => {
    const python = await run(
      '#!/usr/bin/env python3\nimport sys\nprint(sys.version_info[0], file=sys.stderr)',
    );
    if (python.body.error?.code !== 'INTERPRETER_MISSING') {
      expect((await textOf(python.commandId)).stderr).toBe('3\n');
    }
    const strict = await run('#!/bin/bash -e\nfalse\necho never');
    expect(strict.body).toMatchObject({ state: 'Completed', exitCode: 1 });
    const other = await run('#!/usr/bin/perl\nprint 1');
    expect(other.body).toMatchObject({
      state: 'Failed',
      exitCode: null,
      error: { code: 'INTERPRETER_REFUSED' },
    });
    expect(other.body.error?.message).toContain('#!/usr/bin/perl');
  });

  it('says which signal ended a script', async () => {
    const { body } = await run('kill -SEGV $$');
    expect(body).toMatchObject({ state: 'Failed', exitCode: null, error: { code: 'ENDED_BY_SIGNAL' } });
    expect(body.error?.message).toContain('SIGSEGV');
  });

  it('keeps what a hostile script prints byte for byte', async () => {
    const bytes = Buffer.from([0x1b, 0x5d, 0x30, 0x3b, 0xff, 0xfe, 0x00, 0x0d, 0xc3, 0x28, 0x80, 0x0a]);
    const octal = [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
    const { commandId } = await run(`printf '${octal}'; printf '${octal}{"state":"Failed"}\\n' >&2`);
    const { stdout, stderr } = await printed(commandId);
    expect(stdout).toEqual(bytes);
    expect(stderr).toEqual(Buffer.concat([bytes, Buffer.from('{"state":"Failed"}\n')]));
  });

  it('keeps much output whole, also when streams take turns', async () => {
    const { commandId, body } = await run(
      'for n in $(seq 1 3000); do echo "out $n"; echo "err $n" >&2; done; yes 0123456789abcde | head -c 20000000',
    );
    expect(body).toMatchObject({ state: 'Completed', exitCode: 0 });
    const { stdout, stderr, parts } = await printed(commandId);
    const lines = (word: string) =>
      Array.from({ length: 3000 }, (_, index) => `${word} ${index + 1}\n`).join('');
    expect(stderr.toString()).toBe(lines('err'));
    expect(stdout.subarray(0, lines('out').length).toString()).toBe(lines('out'));
    expect(stdout).toHaveLength(lines('out').length + 20_000_000);
    expect(parts.length).toBeLessThan(1_000);
    parts.reduce((offset, part, index) => {
      expect(part).toMatchObject({ part: index + 1, offset });
      return offset + part.size;
    }, 0);
  });

  it('keeps the output as a file for a line that says so', async () => {
    const { commandId, body } = await run('echo kept', { line: 'run script.sh > out.txt' });
    expect(body.files).toMatchObject([{ name: 'out.txt', size: 5 }]);
    expect(String(await backend.blob('output', `${sessionId}/${commandId}`).downloadToBuffer())).toBe(
      'kept\n',
    );
  });

  const stubborn = (file: string) => `trap '' TERM
setsid sh -c 'trap "" TERM; sleep 300 & echo $! > "${file}.new"; mv "${file}.new" "${file}"; wait' &
(sleep 300 &) ; echo before
while :; do sleep 0.1; done`;

  it.each(['TimedOut', 'Cancelled'] as const)('ends the whole tree with proof: %s', async (how) => {
    const file = join(place, how);
    const { commandId, ended } = await start('run', 'script.sh', stubborn(file), {
      timeLimit: how === 'TimedOut' ? 3 : 60,
    });
    await until(commandId, 'before');
    if (how === 'Cancelled') {
      while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 20));
      await backend.send(payloads.cancel(commandId));
    }
    expect(await ended).toMatchObject({ state: how, exitCode: null, processesGone: true });
    const grandchild = Number(await readFile(file, 'utf8'));
    expect(['Z', undefined]).toContain(readStat(grandchild)?.state);
    expect((await textOf(commandId)).stdout).toBe('before\n');
  });

  it('ends when its first process ends, and ends what that left behind', async () => {
    const { commandId, body } = await run('setsid sleep 300 & echo $!');
    expect(body).toMatchObject({ state: 'Completed', exitCode: 0, processesGone: true });
    const left = Number((await textOf(commandId)).stdout);
    expect(['Z', undefined]).toContain(readStat(left)?.state);
  });
});

describe('the script that runs', () => {
  const marker = () => join(place, randomUUID());

  it('has no name that could be given to another file, and is held open', async () => {
    const { commandId, body } = await run(
      `readlink /proc/self/fd/3 || readlink /proc/$$/fd/3; ls -A "${join(state, 'work')}"; stat -c %a "${join(state, 'work')}"`,
    );
    expect(body.exitCode).toBe(0);
    const { stdout } = await textOf(commandId);
    expect(stdout).toBe(`${join(state, 'work', commandId)} (deleted)\n700\n`);
  });

  it.each<[string, (content: string) => Partial<LibraryFile>, string]>([
    ['another hash', () => ({ sha256: '0'.repeat(64) }), 'HASH_MISMATCH'],
    ['fewer bytes than it has', (content) => ({ size: content.length - 1 }), 'HASH_MISMATCH'],
    ['no leave to run unsigned', () => ({ trust: null }), 'SCRIPT_UNSIGNED'],
  ])('does not run with %s', async (_, claims, code) => {
    const file = marker();
    const content = `touch "${file}"`;
    const { body } = await run(content, { claims: claims(content) });
    expect(body).toMatchObject({ state: 'Failed', error: { code } });
    expect(existsSync(file)).toBe(false);
    expect(readdirSync(join(state, 'work'))).toEqual([]);
  });

  it('is gone from the store: it says so', async () => {
    const { libraryFile } = await backend.libraryFile('x', 'y');
    const { body } = await run('true', {
      claims: { url: libraryFile.url.replace(/[0-9a-f]{64}/, 'missing') },
    });
    expect(body).toMatchObject({ state: 'Failed', exitCode: null });
    expect(['LIBRARY_FILE_GONE', 'DOWNLOAD_FAILED']).toContain(body.error?.code);
  });

  it.each(['ed25519', 'ec'] as const)(
    'runs with the signature of its signer and of nobody else (%s)',
    async (kind) => {
      const pair = () =>
        kind === 'ed25519'
          ? generateKeyPairSync('ed25519')
          : generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const [signer, other] = [pair(), pair()];
      const content = 'echo signed';
      const { libraryFile } = await backend.libraryFile('script.sh', content);
      const trustBy = (by: typeof signer, named: typeof signer): LibraryFile['trust'] => {
        const signature = signFile(libraryFile, by.privateKey);
        const key = signerKeyOf(named.publicKey.export({ format: 'pem', type: 'spki' }).toString());
        if (signature === undefined || key === undefined) throw new Error('no signature');
        return {
          kind: 'signed',
          signerName: 'Build',
          ...signature,
          keyId: key.keyId,
          publicKey: key.publicKey,
        };
      };
      const good = await run(content, { claims: { trust: trustBy(signer, signer) } });
      expect(good.body).toMatchObject({ state: 'Completed', exitCode: 0 });
      const forged = await run(content, { claims: { trust: trustBy(other, signer) } });
      expect(forged.body).toMatchObject({ state: 'Failed', error: { code: 'SIGNATURE_INVALID' } });
      const renamed = await run(content, { claims: { name: 'other.sh', trust: trustBy(signer, signer) } });
      expect(renamed.body).toMatchObject({ state: 'Failed', error: { code: 'SIGNATURE_INVALID' } });
    },
  );
});

describe('putfile', () => {
  const put = async (name: string, content: string | Buffer, flags: string[] = [], claims = {}) =>
    (await start('putfile', name, content, { flags, claims: { trust: null, ...claims } })).ended;

  it('places a file that only the agent may open, whole and checked', async () => {
    const body = await put('tool.bin', 'content');
    const path = join(state, 'files', 'tool.bin');
    expect(body).toMatchObject({
      state: 'Completed',
      error: null,
      placed: [{ name: 'tool.bin', path: { text: path }, size: 7, kept: false }],
    });
    expect(readFileSync(path, 'utf8')).toBe('content');
    const { commandId } = await run(`stat -c %a "${path}" "${join(state, 'files')}"`);
    expect((await textOf(commandId)).stdout).toBe('700\n700\n');
  });

  it('replaces a file only when asked to', async () => {
    await put('twice', 'one');
    expect(await put('twice', 'two')).toMatchObject({ state: 'Failed', error: { code: 'FILE_EXISTS' } });
    expect(await put('twice', 'two', ['-keep'])).toMatchObject({ error: { code: 'FILE_EXISTS' } });
    expect(readFileSync(join(state, 'files', 'twice'), 'utf8')).toBe('one');
    expect(await put('twice', 'three', ['-overwrite', '-keep'])).toMatchObject({
      placed: [{ kept: true, path: { text: join(state, 'kept', 'twice') } }],
    });
    expect(existsSync(join(state, 'files', 'twice'))).toBe(false);
    expect(readFileSync(join(state, 'kept', 'twice'), 'utf8')).toBe('three');
  });

  it('places nothing that is not what was ordered', async () => {
    expect(await put('wrong', 'x', [], { sha256: '0'.repeat(64) })).toMatchObject({
      state: 'Failed',
      error: { code: 'HASH_MISMATCH' },
    });
    expect(existsSync(join(state, 'files', 'wrong'))).toBe(false);
    expect(readdirSync(join(state, 'work'))).toEqual([]);
  });

  it('leaves nothing half, and after a restart only what is kept', async () => {
    await put('goes', 'x');
    await put('stays', 'y', ['-keep']);
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
    // A store that stops in the middle.
    const store = createServer((_, response) => {
      response.writeHead(200, { 'content-length': 1_000_000, etag: '"1"' });
      response.write(Buffer.alloc(500_000), () => arrive());
    });
    await new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(store.address() as AddressInfo).port}/account/library/x`;
    const half = put('half', 'z', ['-keep'], { url, size: 1_000_000 });
    await arrived;
    await agent.kill();
    store.closeAllConnections();
    store.close();
    agent = new AgentProcess(state);
    await agent.ready;
    expect(await half).toMatchObject({ state: 'Lost', error: { code: 'AGENT_RESTARTED' } });
    expect(readdirSync(join(state, 'files'))).toEqual([]);
    expect(readdirSync(join(state, 'work'))).toEqual([]);
    expect(readdirSync(join(state, 'kept'))).toContain('stays');
    expect(readdirSync(join(state, 'kept'))).not.toContain('half');
  });

  it('says that a disk has no room for it', async () => {
    expect(await put('huge', 'x', [], { size: 2 ** 50 })).toMatchObject({
      state: 'Failed',
      error: { code: 'DISK_FULL' },
    });
  });
});
