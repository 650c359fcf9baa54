import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject, it, expect, onTestFinished } from 'vitest';
import { sha256 } from '../../evidence/canonical.ts';
import { signFile } from '../../evidence/scriptSignature.ts';
import { ApiError } from '../../sdk/index.ts';
import { commandEnded, inSession, responder, rowsOf } from '../support/responders.ts';

const ana = responder('ana');
const cleo = responder('cleo');

/** What a responder does in a first session with the library: bring a script, run it, run one that exports, take the export. */
it('brings scripts to a device, reads what they print, and takes what they export', async () => {
  const place = await realpath(await mkdtemp(join(tmpdir(), 'walk-')));
  onTestFinished(() => rm(place, { recursive: true, force: true }));
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const signer = await cleo.trustSigner({
    name: 'Walk-through',
    publicKey: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
  });
  onTestFinished(async () => {
    await cleo.distrustSigner(signer.keyId);
    for (const name of ['look.sh', 'export.sh', 'unsigned.sh']) await cleo.deleteLibraryFile(name);
  });
  const add = async (name: string, script: string, isSigned = true): Promise<void> => {
    const content = Buffer.from(script);
    const file = { name, size: content.length, sha256: sha256(content) };
    const signature = signFile(file, privateKey);
    const added = await cleo.putLibraryFile(name, content, {
      ...(isSigned && signature !== undefined ? { signatures: [signature] } : {}),
    });
    expect(added).toMatchObject(file);
  };
  const marker = `export-${process.pid}.csv`;
  await add('look.sh', 'seq 1 5000; echo "looked at by $LIVE_RESPONSE_USER" >&2; exit 3');
  await add('export.sh', 'printf "name,size\\n%s,%s\\n" "$1" "$2" > "$3"; echo exported');
  await add('unsigned.sh', 'echo never');
  await cleo.deleteLibraryFile('unsigned.sh');
  await add('unsigned.sh', 'echo never', false);
  expect((await cleo.libraryFiles()).map(({ name }) => name)).toEqual(
    expect.arrayContaining(['look.sh', 'export.sh', 'unsigned.sh']),
  );

  await inSession(
    ana,
    async ({ sessionId }) => {
      const run = async (line: string) => {
        const { commandId } = await ana.issueCommand(sessionId, line);
        return commandEnded(ana, sessionId, commandId);
      };
      const refusalOf = async (line: string): Promise<string> => {
        const error = await ana.issueCommand(sessionId, line).then(
          () => undefined,
          (error: unknown) => error,
        );
        return error instanceof ApiError ? error.code : `not refused: ${String(error)}`;
      };
      const textOf = async (commandId: string): Promise<string> =>
        new Response(await ana.output(sessionId, commandId)).text();

      expect(await refusalOf('run missing.sh')).toBe('LIBRARY_FILE_UNKNOWN');
      expect(await refusalOf('run unsigned.sh')).toBe('SCRIPT_UNSIGNED');
      expect(await refusalOf(`run look.sh -parameters "'open"`)).toBe('PARAMETER_INVALID');
      expect(await refusalOf('run look.sh -parameters "a;b"')).toBe('PARAMETER_INVALID');

      const looked = await run('run LOOK.sh');
      expect(looked).toMatchObject({ state: 'Completed', exitCode: 3 });
      const text = await textOf(looked.commandId);
      expect(text).toContain(Array.from({ length: 5000 }, (_, index) => `${index + 1}\n`).join(''));
      expect(text).toMatch(/looked at by .+\n/);

      const target = join(place, marker);
      const exported = await run(`run export.sh -parameters "'two words' 42 '${target}'"`);
      expect(exported).toMatchObject({ state: 'Completed', exitCode: 0 });
      expect(await textOf(exported.commandId)).toBe('exported\n');

      const found = await run(`findfile ${marker} "${place}"`);
      expect(await rowsOf(ana, sessionId, found.commandId)).toMatchObject([{ path: target }]);
      const collected = await run(`getfile "${target}"`);
      const content = 'name,size\ntwo words,42\n';
      expect(collected.files).toMatchObject([{ name: marker, sha256: sha256(content) }]);
      const { url } = await ana.fileDownload(sessionId, collected.commandId);
      expect(await (await fetch(url)).text()).toBe(content);

      const placed = await run('putfile unsigned.sh');
      expect(placed).toMatchObject({ state: 'Completed', error: null });
      const [row] = await rowsOf(ana, sessionId, placed.commandId);
      expect(row).toMatchObject({ name: 'unsigned.sh', sha256: sha256('echo never'), kept: false });
      const events = await ana.eventsPage(sessionId);
      expect(events.events.map(({ type }) => type)).toContain('FilePlaced');
    },
    inject('cloud').device.deviceId,
  );
});
