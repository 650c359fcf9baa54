import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { installService, uninstallService } from '../install/systemdService.ts';
import { systemdUnit, unitName } from '../install/systemdUnit.ts';
import { temporaryFolders } from './support/temporary.ts';

const hasAnalyzer = spawnSync('systemd-analyze', ['--version']).status === 0;
const state = '/var/lib/live-response';
const paths = { node: process.execPath, agent: import.meta.filename, state };
let root: string;

const folder = temporaryFolders();
beforeEach(async () => {
  root = await folder();
});

describe('the service', () => {
  it('is a unit below another root, beside a folder for its owner only, and goes without the folder', () => {
    installService({ state, root });
    installService({ state, root });
    const unit = join(root, 'etc/systemd/system', unitName);
    expect(readFileSync(unit, 'utf8')).toContain(` run --state ${state}\n`);
    expect(statSync(unit).mode & 0o777).toBe(0o644);
    expect(statSync(join(root, state)).mode & 0o777).toBe(0o700);
    expect(uninstallService({ state, root })).toContain('stay in');
    expect(existsSync(unit)).toBe(false);
    expect(existsSync(join(root, state))).toBe(true);
    expect(uninstallService({ state, root })).toContain('not installed');
  });
  it('refuses a path that systemd would read differently', () => {
    for (const bad of ['/opt/"quoted"', '/opt/100%h', '/opt/$HOME', 'relative', '/opt/a\nExecStartPre=/b']) {
      expect(() => systemdUnit({ ...paths, state: bad })).toThrow('cannot be part of a service');
    }
  });
  it.skipIf(!hasAnalyzer)('is a unit that systemd understands', () => {
    const verify = (text: string) => {
      const file = join(root, unitName);
      writeFileSync(file, text);
      return spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' }).stderr;
    };
    const unit = systemdUnit(paths);
    expect(verify(unit)).not.toContain(unitName);
    const node = join(root, 'a node');
    symlinkSync(process.execPath, node);
    expect(verify(systemdUnit({ ...paths, node, state: '/var/lib/live response' }))).not.toContain(unitName);
    expect(verify(systemdUnit({ ...paths, node: join(root, 'no node') }))).toContain('no node');
    expect(verify(unit.replace('RestartSec=2', 'RestartSeconds=2'))).toContain('RestartSeconds');
  });
});
