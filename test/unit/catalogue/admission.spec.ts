import { describe, expect, it } from 'vitest';
import {
  admitCommand,
  type CommandContext,
  catalogue,
  type Platform,
  parseCommand,
  type Right,
} from '../../../domain/catalogue/index.ts';

const all = catalogue.map(({ name }) => name);

const admit = (line: string, context: Partial<CommandContext>) => {
  const parsed = parseCommand(line, catalogue);
  if (!parsed.ok) throw new Error(parsed.message);
  return admitCommand(parsed.command, {
    platform: 'linux',
    capabilities: all,
    rights: ['Basic'],
    ...context,
  });
};

describe('admission', () => {
  it.each<[string, readonly Right[], boolean]>([
    ['dir', ['Basic'], true],
    ['dir', ['Advanced'], true],
    ['dir', [], false],
    ['run x.sh', ['Basic'], false],
    ['run x.sh', ['Advanced'], true],
    ['library', ['Basic'], false],
    ['help', [], false],
  ])('%s with %j', (line, rights, ok) => {
    expect(admit(line, { rights })).toMatchObject(ok ? { ok } : { ok, code: 'RIGHT_MISSING' });
  });

  it('asks the agent for device commands only', () => {
    const result = admit('dir', { capabilities: ['cd'] });
    expect(result).toMatchObject({ ok: false, code: 'NOT_SUPPORTED_BY_AGENT' });
    expect(result.ok ? '' : result.message).toContain('not supported by this agent version');
    for (const line of ['help', 'jobs', 'cls', 'connect', 'status a1', 'fg a1']) {
      expect(admit(line, { capabilities: [] }), line).toEqual({ ok: true });
    }
  });

  it('judges an alias by the command it stands for', () => {
    expect(admit('ls', { capabilities: ['dir'] })).toEqual({ ok: true });
    expect(admit('ls', { capabilities: ['ls'] })).toMatchObject({ code: 'NOT_SUPPORTED_BY_AGENT' });
  });

  it.each<[string, Platform, boolean]>([
    ['registry HKEY_LOCAL_MACHINE', 'windows', true],
    ['registry HKEY_LOCAL_MACHINE', 'linux', false],
    ['remediate registry HKEY_LOCAL_MACHINE\\x', 'windows', true],
    ['remediate registry HKEY_LOCAL_MACHINE\\x', 'macos', false],
    ['undo registry x', 'linux', false],
    ['remediate file registry', 'linux', true],
    ['connections', 'macos', true],
  ])('%s on %s', (line, platform, ok) => {
    const result = admit(line, { platform, rights: ['Advanced'] });
    expect(result).toMatchObject(ok ? { ok } : { ok, code: 'NOT_ON_PLATFORM' });
  });

  it('refuses a command that the catalogue no longer has', () => {
    const command = { name: 'gone', parameters: {}, flags: [], background: false, output: 'table' } as const;
    expect(
      admitCommand(command, { platform: 'linux', capabilities: ['gone'], rights: ['Advanced'] }),
    ).toMatchObject({
      ok: false,
      code: 'NOT_SUPPORTED_BY_AGENT',
    });
  });
});
