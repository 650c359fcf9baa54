import { mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { sha256 } from '../../evidence/canonical.ts';
import type { LiveResponseClient } from '../../sdk/index.ts';
import { removeTree } from '../support/plantedNames.ts';
import { eventsOf } from '../support/recordedEvents.ts';
import {
  commandEnded,
  commandStarted,
  eventually,
  inSession,
  responder,
  rowsOf,
} from '../support/responders.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(inject('cloud').dataDir, 'outputs-'));
});
afterAll(() => removeTree(folder));

const outputOf = async (client: LiveResponseClient, sessionId: string, commandId: string): Promise<Buffer> =>
  Buffer.from(await new Response(await client.output(sessionId, commandId)).arrayBuffer());

describe('findfile', () => {
  it('finds by name and wildcard from the directory of the session', async () => {
    const ana = responder('ana');
    const top = await mkdtemp(join(folder, 'find-'));
    await mkdir(join(top, 'a/b'), { recursive: true });
    await Promise.all(['a/invoice.exe', 'a/b/Invoice.EXE'].map((name) => writeFile(join(top, name), 'MZ')));
    await symlink(top, join(top, 'a/b/loop'));
    await inSession(ana, async ({ sessionId }) => {
      await ana.runCommand(sessionId, `cd "${top}"`);
      const found = async (line: string): Promise<unknown[]> => {
        const command = await ana.runCommand(sessionId, line);
        expect(command).toMatchObject({ state: 'Completed', error: null });
        return (await rowsOf(ana, sessionId, command.commandId)).map(({ path }) => path);
      };
      expect(await found('findfile invoice.exe a')).toEqual([join(top, 'a/invoice.exe')]);
      expect(await found('findfile *.exe . -ignore_case')).toEqual([
        join(top, 'a/invoice.exe'),
        join(top, 'a/b/Invoice.EXE'),
      ]);
      const refused = await ana.runCommand(sessionId, 'findfile a/invoice.exe');
      expect(refused).toMatchObject({ state: 'Failed', error: { code: 'NAME_INVALID' } });
    });
  });

  it('shows a hit while it still searches, and can be cancelled', async () => {
    const ana = responder('ana');
    await inSession(ana, async ({ sessionId }) => {
      // The first directory that is read holds it; the rest of this machine takes a while.
      const command = await ana.issueCommand(sessionId, 'findfile etc &');
      const [hit] = await eventually('the hit is shown', async () => {
        const rows = await rowsOf(ana, sessionId, command.commandId);
        return rows.length > 0 && rows;
      });
      expect(hit).toMatchObject({ path: '/etc', kind: 'directory', note: null });
      expect(await ana.command(sessionId, command.commandId)).toMatchObject({ state: 'Started' });
      await ana.cancelCommand(sessionId, command.commandId);
      const ended = await commandEnded(ana, sessionId, command.commandId);
      expect(ended.state).toBe('Cancelled');
    });
  });
});

describe('trace', () => {
  it('follows the log of the agent beside other commands, without secrets, until it is switched off', async () => {
    const ana = responder('ana');
    await writeFile(join(folder, 'traced'), 'x');
    await inSession(ana, async ({ sessionId }) => {
      const trace = await ana.issueCommand(sessionId, 'trace &');
      await commandStarted(ana, sessionId, trace.commandId);
      const taken = await ana.runCommand(sessionId, `getfile "${join(folder, 'traced')}"`);
      expect(taken.state).toBe('Completed');
      const rows = await eventually('the log tells of the other command', async () => {
        const now = await rowsOf(ana, sessionId, trace.commandId);
        return now.some(({ message }) => message === `command ${taken.commandId} ended: Completed`) && now;
      });
      const messages = rows.map(({ message }) => String(message));
      expect(messages).toContain(`received command.execute ${taken.commandId}`);
      expect(rows.map(({ source }) => source)).toEqual(
        expect.arrayContaining(['trace', 'service', 'worker']),
      );
      expect(messages.join('\n')).not.toMatch(/sig=[^…]|SharedAccessSignature [^…]|eyJ[^…]|lre_[^…]/);

      expect(await ana.runCommand(sessionId, 'trace off')).toMatchObject({ state: 'Completed' });
      const ended = await commandEnded(ana, sessionId, trace.commandId);
      expect(ended).toMatchObject({ state: 'Completed', error: null });
      const changes = (await eventsOf(ana, sessionId)).filter(({ type }) => type === 'TraceChanged');
      expect(changes.map(({ data }) => [data['commandId'], data['tracing']])).toEqual([
        [trace.commandId, true],
        [trace.commandId, false],
      ]);
    });
  });
});

describe('output that a line keeps as a file', () => {
  it('is listed and can be downloaded like a collected file', async () => {
    const ana = responder('ana');
    const top = await mkdtemp(join(folder, 'kept-'));
    await writeFile(join(top, 'one'), 'x');
    await inSession(ana, async ({ sessionId }) => {
      const short = await ana.runCommand(sessionId, `dir "${top}" > reports/list.json`);
      const help = await ana.runCommand(sessionId, 'help > help.json');
      const empty = await ana.runCommand(sessionId, `findfile nothing "${top}" > none.json`);
      const both = await ana.runCommand(sessionId, `getfile "${join(top, 'one')}" > "what I took.json"`);
      await ana.runCommand(sessionId, `dir "${top}"`);
      const files = await ana.files(sessionId);
      expect(files.map(({ kind, name, path }) => [kind, name, path.text])).toEqual([
        ['output', 'list.json', 'reports/list.json'],
        ['output', 'help.json', 'help.json'],
        ['output', 'none.json', 'none.json'],
        ['file', 'one', join(top, 'one')],
        ['output', 'what I took.json', 'what I took.json'],
      ]);
      for (const { commandId } of [short, help, empty, both]) {
        const output = await outputOf(ana, sessionId, commandId);
        const file = files.find((one) => one.commandId === commandId && one.kind === 'output');
        expect(file).toMatchObject({ size: output.length, sha256: sha256(output) });
        const download = await ana.fileDownload(sessionId, file?.fileId ?? '');
        expect(download).toMatchObject({ replaced: false, sha256: sha256(output) });
        const copy = join(top, `copy of ${commandId}`);
        await ana.download(download, copy);
        expect((await readFile(copy)).equals(output)).toBe(true);
      }
      expect((await outputOf(ana, sessionId, help.commandId)).length).toBeGreaterThan(0);
      const status = await ana.runCommand(sessionId, `status ${both.commandId}`);
      const [row] = await rowsOf(ana, sessionId, status.commandId);
      expect(row?.['files']).toEqual([both.commandId, `${both.commandId}-output`]);
    });
  });
});
