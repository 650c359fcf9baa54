import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { initScripts, installedServices, openRcServices, serviceOf } from '../platform/linux/services.ts';
import { programOf, shellWords } from '../platform/linux/shellWords.ts';
import { linuxStartupEntries } from '../platform/linux/startupEntries.ts';
import { parseExec, parseShow, parseSystemdTime } from '../platform/linux/systemctl.ts';
import { SystemTree } from '../platform/linux/systemTree.ts';
import { commandOf, listOf, parseUnit } from '../platform/linux/unitText.ts';
import { plantTree } from './support/plantedTree.ts';
import { runCommand } from './support/runCommand.ts';
import { temporaryFolders } from './support/temporary.ts';

const folder = temporaryFolders();
const byName = (rows: readonly { readonly name?: unknown }[], name: string) =>
  rows.find((row) => row.name === name);

describe.runIf(process.platform === 'linux')('services', () => {
  it('never ends empty: it lists what an init system says, or says that none answers', async () => {
    const { rows } = await runCommand('services');
    expect(rows.length).toBeGreaterThan(0);
    const isAnswered = rows.every(({ note }) => note === null);
    if (isAnswered) expect(rows.some(({ pid }) => pid !== null)).toBe(true);
    else {
      expect(rows[0]?.['note']).toContain('systemd does not run here: process 1 is ');
      expect(rows.every(({ state }) => state === null)).toBe(true);
    }
  });

  it('reads what is installed where systemd does not run', async () => {
    const root = await folder();
    await plantTree(root, {
      'etc/systemd/system/own.service':
        '[Unit]\nDescription=Own\n[Service]\nExecStart=-/opt/own \\\n  --fast\nUser=ana\n[Install]\nWantedBy=multi-user.target\n',
      'etc/systemd/system/multi-user.target.wants/own.service': ['../own.service'],
      'etc/systemd/system/off.service':
        '[Service]\nExecStart=/opt/off\n[Install]\nWantedBy=multi-user.target\n',
      'etc/systemd/system/gone.service': ['/dev/null'],
      'usr/lib/systemd/system/gone.service': '[Service]\nExecStart=/opt/gone\n',
      'usr/lib/systemd/system/own.service': '[Service]\nExecStart=/opt/vendor\n',
      'usr/lib/systemd/system/helped.service': '[Service]\nExecStart=/opt/helped\n',
      'etc/systemd/system/helped.service.d/10-more.conf': '[Service]\nExecStart=\nExecStart=/opt/replaced\n',
      'usr/lib/systemd/system/second.service': ['helped.service'],
      'usr/lib/systemd/system/many@.service': '[Service]\nExecStart=/opt/many %i\n',
      'etc/systemd/system/multi-user.target.wants/many@one.service': [
        '/usr/lib/systemd/system/many@.service',
      ],
    });
    const rows = [...installedServices(new SystemTree(root))];
    expect(rows.map(({ name }) => name).sort()).toEqual([
      'gone.service',
      'helped.service',
      'many@.service',
      'off.service',
      'own.service',
    ]);
    expect(byName(rows, 'own.service')).toMatchObject({
      displayName: 'Own',
      startMode: 'enabled',
      command: '/opt/own --fast',
      path: '/opt/own',
      user: 'ana',
    });
    expect(byName(rows, 'off.service')).toMatchObject({ startMode: 'disabled', user: 'root' });
    expect(byName(rows, 'gone.service')).toMatchObject({ startMode: 'masked', command: null });
    expect(byName(rows, 'helped.service')).toMatchObject({ startMode: 'static', command: '/opt/replaced' });
    expect(byName(rows, 'many@.service')).toMatchObject({ startMode: 'enabled' });
  });

  it('reads init scripts and what OpenRC has started', async () => {
    const root = await folder();
    await plantTree(root, {
      'etc/init.d/old': { content: '#!/bin/sh\n# Short-Description: An old one\n', mode: 0o755 },
      'etc/init.d/idle': { content: '#!/bin/sh\n', mode: 0o755 },
      'etc/init.d/README': 'no script',
      'etc/rc3.d/S20old': ['../init.d/old'],
      'run/openrc/started/old': ['/etc/init.d/old'],
      'etc/runlevels/default/old': ['/etc/init.d/old'],
    });
    const tree = new SystemTree(root);
    expect([...initScripts(tree)]).toMatchObject([
      { name: 'idle', startMode: 'disabled' },
      { name: 'old', startMode: 'enabled', displayName: 'An old one', path: '/etc/init.d/old' },
    ]);
    expect([...openRcServices(tree)]).toMatchObject([
      { name: 'idle', startMode: 'disabled', state: 'stopped' },
      { name: 'old', startMode: 'enabled in default', state: 'started', manager: 'openrc' },
    ]);
  });
});

describe('what systemd prints', () => {
  // Printed by systemd 252; the arguments of the first were changed.
  const sample = `MainPID=45
ExecStart={ path=/lib/systemd/systemd-journald ; argv[]=/lib/systemd/systemd-journald --x ; y ; ignore_errors=no ; start_time=[Tue 2026-11-24 16:18:40 UTC] ; stop_time=[n/a] ; pid=45 ; code=(null) ; status=0/0 }
User=
Id=systemd-journald.service
Description=Journal Service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=static

MainPID=0
User=
Id=connman.service
Description=connman.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
`;

  it('is read unit by unit', async () => {
    const units = [];
    for await (const unit of parseShow(linesOf(sample))) units.push(unit);
    expect(units.map(serviceOf)).toMatchObject([
      {
        name: 'systemd-journald.service',
        displayName: 'Journal Service',
        state: 'active running',
        startMode: 'static',
        pid: 45,
        user: 'root',
        command: '/lib/systemd/systemd-journald --x ; y',
        path: '/lib/systemd/systemd-journald',
      },
      { name: 'connman.service', state: 'inactive dead', startMode: null, pid: null, command: null },
    ]);
  });

  it('has times in UTC, or none', () => {
    expect(parseSystemdTime('Tue 2026-11-24 18:00:00 UTC')).toBe('2026-11-24T18:00:00.000Z');
    expect(parseSystemdTime('Tue 2026-11-24 18:00:00.123456 UTC')).toBe('2026-11-24T18:00:00.123Z');
    expect(parseSystemdTime('Tue 2026-11-24 18:00:00 CET')).toBeNull();
    expect(parseSystemdTime('n/a')).toBeNull();
    expect(parseSystemdTime(null)).toBeNull();
    expect(parseExec('')).toBeUndefined();
  });
});

describe('a unit file', () => {
  it('is read with continued lines, comments and lists that begin anew', () => {
    const settings = parseUnit(
      '# c\n[Service]\nExecStart=/a \\\n; in between\n  b\nExecStart = /c=d\n[Install]\nWantedBy=x\nExecStart=other\n',
    );
    expect(listOf(settings, 'Service', 'ExecStart')).toEqual(['/a b', '/c=d']);
    const cleared = [...settings, { section: 'Service', key: 'ExecStart', value: '' }];
    expect(listOf(cleared, 'Service', 'ExecStart')).toEqual([]);
    expect(commandOf('-@/bin/x y')).toBe('/bin/x y');
  });
});

describe('startupfolders', () => {
  it('lists autostart entries of the system and of every home, with what they start', async () => {
    const root = await folder();
    const entry = (lines: string): string => `[Desktop Entry]\nType=Application\n${lines}\n`;
    await plantTree(root, {
      'etc/passwd': 'root:x:0:0::/root:/bin/sh\nana:x:1000:1000::/home/ana:/bin/sh\n',
      'etc/xdg/autostart/all.desktop': entry('Exec=helper --all'),
      'usr/bin/helper': { content: 'the helper', mode: 0o755 },
      'home/ana/.config/autostart/own.desktop': entry('Exec="/opt/my tool" %u'),
      'opt/my tool': 'a tool',
      'home/stranger/.config/autostart/odd.desktop': entry('Exec=/gone\nHidden=true'),
      'root/.config/autostart/notes.txt': 'no entry',
    });
    const rows = [];
    for await (const row of linuxStartupEntries(new SystemTree(root))) rows.push(row);
    const hash = (content: string): string => createHash('sha256').update(content).digest('hex');
    expect(rows).toHaveLength(4);
    expect(byName(rows, 'all.desktop')).toMatchObject({
      path: '/etc/xdg/autostart/all.desktop',
      user: null,
      enabled: true,
      command: 'helper --all',
      target: '/usr/bin/helper',
      targetSha256: hash('the helper'),
      sha256: hash(entry('Exec=helper --all')),
      size: entry('Exec=helper --all').length,
    });
    expect(byName(rows, 'own.desktop')).toMatchObject({
      user: 'ana',
      target: '/opt/my tool',
      targetSha256: hash('a tool'),
    });
    expect(byName(rows, 'odd.desktop')).toMatchObject({
      user: 'stranger',
      enabled: false,
      target: '/gone',
      targetSha256: null,
    });
    expect(byName(rows, 'notes.txt')).toMatchObject({ user: 'root', enabled: false, command: null });
  });
});

describe('the program of a command', () => {
  it.each([
    ['/opt/a b', '/opt/a'],
    ['A=1 B="x y" exec -a z', 'z'],
    ['sh /opt/script.sh x', '/opt/script.sh'],
    ['sh -c "/opt/x"', 'sh'],
    ['/usr/bin/python3 -u /opt/x.py', '/opt/x.py'],
    ['test -x /a && /a', undefined],
    ['$HOME/x', undefined],
    ['', undefined],
  ])('of %j is %j', (line, program) => {
    expect(programOf(line)).toBe(program);
  });

  it('is split as a shell splits', () => {
    expect(shellWords(`a 'b c' "d\\" e"f g\\ h ''`)).toEqual(['a', 'b c', 'd" ef', 'g h', '']);
  });
});

async function* linesOf(text: string): AsyncGenerator<Buffer> {
  for (const line of text.split('\n')) yield await Promise.resolve(Buffer.from(line));
}
