import { describe, expect, it } from 'vitest';
import { type CommandContext, catalogue, complete } from '../../../domain/catalogue/index.ts';

const context: CommandContext = {
  platform: 'linux',
  capabilities: catalogue.map(({ name }) => name),
  rights: ['Advanced'],
};

/** `|` marks the cursor. */
const offered = (marked: string, of: CommandContext = context): string => {
  const cursor = marked.indexOf('|');
  const line = marked.slice(0, cursor) + marked.slice(cursor + 1);
  return complete(line, cursor, of)
    .candidates.map(({ text }) => text)
    .join(' ');
};

describe('completion', () => {
  it.each([
    ['d|', 'dir drivers download'],
    ['  FI|', 'fileinfo findfile'],
    ['get|', 'getfile get'],
    ['p|rocesses', 'persistence processes process putfile'],
    ['nosuch |', ''],
    ['getfile /tmp/x -|', '-path -auto -output'],
    ['getfile -AUTO -a|', ''],
    ['dir -full_path -|', '-path -output'],
    ['putfile x -k|', '-keep'],
    ['processes -output |', 'json table'],
    ['processes -output j|', 'json'],
    ['run x -output |', ''],
    ['processes -name |', ''],
    ['remediate s|', 'service scheduledtask startupfolder'],
    ['remediate r|', ''],
    ['remediate -id x -type f|', 'file'],
    ['remediate file f|', ''],
    ['library |', 'list delete -action -file -output'],
    ['library delete |', '-action -file -output'],
    ['help dr|', 'drivers'],
    ['dir "-|', ''],
    ['dir "a"|', ''],
    ['dir > |', ''],
    ['dir & |', ''],
    ["dir 'x |", ''],
  ])('%s offers %j', (marked, expected) => {
    expect(offered(marked)).toBe(expected);
  });

  it.each([
    ['dir |', 'dir path "" at 4'],
    ['ls /et|', 'dir path "/et" at 3'],
    ['dir "/my d|', 'dir path "/my d" at 4 in "'],
    ["dir 'it''s|", `dir path "it's" at 4 in '`],
    ['dir "-x|', 'dir path "-x" at 4 in "'],
    ['getfile -path |', 'getfile path "" at 14'],
    ['getfile -path -x|', 'getfile path "-x" at 14'],
    ['fg 0b|', 'fg command_id "0b" at 3'],
    ['dir -|', undefined],
    ['dir /etc |', undefined],
    ['dir "/etc"|', undefined],
    ['dir > "x|', undefined],
    ['dir & "x|', undefined],
    ['nosuch x|', undefined],
    ['di|', undefined],
  ])('%s is a value: %s', (marked, expected) => {
    const { value } = complete(marked.slice(0, -1), marked.length - 1, context);
    const quote = value?.quote === undefined ? '' : ` in ${value.quote}`;
    const told = value && `${value.command} ${value.parameter.name} "${value.text}" at ${value.from}${quote}`;
    expect(told).toBe(expected);
  });

  it('offers Windows entities on Windows', () => {
    expect(offered('remediate r|', { ...context, platform: 'windows' })).toBe('registry');
    expect(offered('reg|', { ...context, platform: 'windows' })).toBe('registry');
    expect(offered('reg|')).toBe('');
  });

  it('offers only commands that may be given', () => {
    expect(offered('r|', { ...context, rights: ['Basic'] })).toBe('');
    expect(offered('d|', { ...context, capabilities: ['drivers'] })).toBe('drivers');
  });

  it('says which stretch to replace', () => {
    expect(complete('  fi', 4, context)).toMatchObject({ from: 2, to: 4 });
    expect(complete('dir ', 4, context)).toMatchObject({ from: 4, to: 4 });
    expect(complete('dir', 99, context)).toMatchObject({ from: 0, to: 3 });
    expect(complete('dir', Number.NaN, context)).toMatchObject({ from: 0, to: 0 });
  });
});
