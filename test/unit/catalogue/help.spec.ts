import { describe, expect, it } from 'vitest';
import {
  catalogue,
  columnsOf,
  type HelpPage,
  helpFor,
  helpRows,
  helpText,
} from '../../../domain/catalogue/index.ts';

const pageOf = (name: string): HelpPage => {
  const help = helpFor(name, catalogue);
  if (!help.ok) throw new Error(help.message);
  return help.page;
};

describe('help', () => {
  it('lists what device, agent and rights allow', () => {
    const rows = helpRows(catalogue, {
      platform: 'linux',
      capabilities: ['dir', 'run', 'registry', 'processes'],
      rights: ['Basic'],
    });
    expect(rows.map(({ name }) => name)).toEqual([
      'cls',
      'connect',
      'dir',
      'fg',
      'help',
      'jobs',
      'processes',
      'status',
    ]);
  });

  it('has rows with exactly the columns of help', () => {
    const [row] = helpRows(catalogue, { platform: 'linux', capabilities: [], rights: ['Basic'] });
    expect(Object.keys(row ?? {})).toEqual(columnsOf('help').map(({ name }) => name));
  });

  it.each([
    ['cd', 'cd <path> [-output json|table] [> <file>]'],
    ['cls', 'cls'],
    ['run', 'run <script> [-parameters <parameters>] [> <file>] [&]'],
    [
      'remediate',
      'remediate file|process|service|registry|scheduledtask|startupfolder|list [<id>] [-auto] [-output json|table] [> <file>] [&]',
    ],
    ['library', 'library [list|delete] [<file>] [-output json|table] [> <file>]'],
  ])('writes the syntax of %s', (name, syntax) => {
    expect(pageOf(name).syntax).toBe(syntax);
  });

  it('tells the platforms of Defender from ours', () => {
    expect(pageOf('connections')).toMatchObject({
      platforms: ['windows', 'macos', 'linux'],
      defenderPlatforms: ['windows'],
      ownPlatforms: ['macos', 'linux'],
    });
    expect(helpText(pageOf('connections')).join('\n')).toContain(
      'Windows, macOS, Linux. Defender has it on Windows; macOS, Linux is our addition',
    );
    expect(helpText(pageOf('dir')).join('\n')).toContain('Windows, macOS, Linux, as in Defender');
  });

  it('explains an alias and a flag', () => {
    const text = helpText(pageOf('download'));
    expect(text[0]).toBe('getfile <path> [-auto] [-output json|table] [> <file>] [&]');
    expect(text.join('\n')).toMatch(/Aliases +get, download/);
    expect(text.join('\n')).toMatch(/-auto +Taken for compatibility: nothing has to run before/);
    expect(text.join('\n')).toMatch(/Right +LiveResponse\.Basic/);
    expect(text.join('\n')).toMatch(/Time limit +30 minutes by default/);
  });

  it('tells which parameters are needed and what they may be', () => {
    expect(helpText(pageOf('trace')).join('\n')).toMatch(/-state +on, .*One of on, off\. May be left out\./);
    expect(helpText(pageOf('findfile')).join('\n')).toMatch(/-name +Name to look for.* Required\./);
    expect(helpText(pageOf('remediate')).join('\n')).toMatch(/-id .*Only with /);
  });

  it('says when the command is not available here', () => {
    const help = helpFor('registry', catalogue, { platform: 'linux', capabilities: [], rights: ['Basic'] });
    expect(help).toMatchObject({ ok: true, page: { admission: { code: 'NOT_ON_PLATFORM' } } });
    expect(help.ok ? helpText(help.page).join('\n') : '').toContain(
      'Not available here: registry does not exist on Linux',
    );
  });

  it('suggests a name for an unknown command', () => {
    expect(helpFor('getfil', catalogue)).toMatchObject({
      ok: false,
      code: 'UNKNOWN_COMMAND',
      suggestion: 'getfile',
    });
  });

  it('writes one line per entry for every command', () => {
    for (const { name } of catalogue) {
      for (const line of helpText(pageOf(name))) expect(line, name).not.toMatch(/\n| $/);
    }
  });
});
