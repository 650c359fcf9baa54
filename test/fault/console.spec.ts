import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasPseudoTerminal, keys, openScreen, type Screen, withoutChance } from '../../cli/test/screen.ts';
import { type FaultCloud, startFaultCloud } from '../support/faultCloud.ts';
import { eventually } from '../support/responders.ts';
import { lrBundle, openTerminal, type Terminal } from '../support/lr.ts';

const content = 'found on the device\n';

/** The console as responders see it, in front of the running system and a real agent, also while the system dies. */
describe.skipIf(!hasPseudoTerminal)('the console in front of the running system', () => {
  let fault: FaultCloud;
  let terminal: Terminal;
  let evidence: string;
  const screens: Screen[] = [];

  beforeAll(async () => {
    fault = await startFaultCloud('console');
    terminal = await openTerminal(fault.cloud);
    // Its length does not depend on where the tests are run: it is shown on screens that are compared.
    evidence = await mkdtemp(join(tmpdir(), 'evidence-'));
    await writeFile(join(evidence, 'note'), content);
    const hostile = join(evidence, 'clear\u001b[2J\u202e.txt');
    await writeFile(hostile, '');
    await utimes(hostile, 1_700_000_000, 1_700_000_000);
  });
  afterEach(async () => {
    for (const screen of screens.splice(0)) {
      screen.kill();
      await screen.exited;
    }
  });
  afterAll(async () => {
    await terminal?.remove();
    await fault?.stop();
    if (evidence !== undefined) await rm(evidence, { recursive: true, force: true });
  });

  const connected = async (): Promise<Screen> => {
    const screen = openScreen([process.execPath, lrBundle, 'connect', fault.device.deviceId], {
      folder: terminal.folder,
      env: { LR_CONFIG: terminal.config },
      columns: 220,
      rows: 40,
    });
    screens.push(screen);
    await screen.shows(/:\/>$/);
    return screen;
  };
  /** What is the same on every machine and in every run. */
  const comparable = (screen: Screen): string =>
    `${withoutChance(screen.all())
      .replace(/download [0-9a-f]{8}$/gm, 'download 00000000')
      .replaceAll(evidence, evidence.replace(/\w+$/, '000000'))
      .replaceAll(`${hostname()}:`, 'device:')
      .replaceAll(`to ${hostname()} `, 'to device ')}\n`;

  it('shows what the device answers, why it refuses, and what to do next', async () => {
    const screen = await connected();
    const at = /:\/tmp\/evidence-\w+>$/;
    const lines: readonly (readonly [string, RegExp])[] = [
      [`cd ${evidence}`, at],
      ['findfile *.txt .', /clear[^]*evidence-\w+>$/],
      ['dir nowhere', /nowhere[^]*FILE_NOT_FOUND[^]*evidence-\w+>$/],
      ['regstry HKEY_LOCAL_MACHINE', /Did you mean registry[^]*evidence-\w+>$/],
      ['registry HKEY_LOCAL_MACHINE', /only on Windows[^]*evidence-\w+>$/],
      ['getfile note', /Get it: download\s[^]*evidence-\w+>$/],
    ];
    for (const [line, shown] of lines) {
      screen.type(`${line}\r`);
      await screen.shows(shown);
    }
    const [, fileId] = /Get it: download\s(\S{8})/.exec(screen.all()) ?? [];
    screen.type(`download ${fileId}\r`);
    await screen.shows(/as collected\.[^]*evidence-\w+>$/);
    expect(await readFile(join(terminal.folder, 'note'), 'utf8')).toBe(content);
    expect(screen.terminal.buffer.active.type).toBe('normal');
    await expect(comparable(screen)).toMatchFileSnapshot(
      join(import.meta.dirname, '..', 'golden', 'console.txt'),
    );
    screen.type(keys.ctrl('d'));
    expect(await screen.exited).toBe(0);
  });

  it('goes on by itself when the host dies in the middle of a command, and loses no line', async () => {
    const screen = await connected();
    const executed = fault.executions().length;
    screen.type(`fileinfo "${fault.files.sparse}"\r`);
    await eventually('the command is on its way', async () => fault.executions().length > executed);
    fault.cloud.parts.host.kill('SIGKILL');
    await screen.shows(/The connection to the server was cut; taking it up again\./);
    await fault.cloud.restart('host');
    await screen.shows(/"sha256": "[0-9a-f]{64}"[^]*:\/>$/);
    screen.type('dir /etc/hostname\r');
    await screen.shows(/hostname[^]*\d+[^]*:\/>$/);
    screen.type(keys.ctrl('d'));
    expect(await screen.exited).toBe(0);
  });
});
