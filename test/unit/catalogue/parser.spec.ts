import { describe, expect, it } from 'vitest';
import { type BoundCommand, catalogue, parseCommand, parseLine } from '../../../domain/catalogue/index.ts';

const accepted = (line: string): BoundCommand => {
  const result = parseCommand(line, catalogue);
  if (!result.ok) throw new Error(`${line}: ${result.code} ${result.message}`);
  return result.command;
};

const plain = { flags: [], background: false, output: 'table' };

describe('accepted lines', () => {
  it.each<[string, Partial<BoundCommand>]>([
    ['jobs', { name: 'jobs', parameters: {} }],
    ['  \tJOBS\t ', { name: 'jobs' }],
    ['LS', { name: 'dir', parameters: {} }],
    ['dir C:\\Windows\\', { parameters: { path: 'C:\\Windows\\' } }],
    ['cd "C:\\Program Files\\"', { parameters: { path: 'C:\\Program Files\\' } }],
    ["cd 'C:\\Program Files\\'", { parameters: { path: 'C:\\Program Files\\' } }],
    ['getfile "C:\\a b\\" -auto', { parameters: { path: 'C:\\a b\\' }, flags: ['auto'] }],
    ['getfile \\\\host\\share\\x', { parameters: { path: '\\\\host\\share\\x' } }],
    ['cd "a""b"', { parameters: { path: 'a"b' } }],
    ["cd 'a''b'", { parameters: { path: "a'b" } }],
    ['cd """"', { parameters: { path: '"' } }],
    ["cd it's.txt", { parameters: { path: "it's.txt" } }],
    ['cd "it\'s"', { parameters: { path: "it's" } }],
    ['cd "-x"', { parameters: { path: '-x' } }],
    ['cd a|b;c', { parameters: { path: 'a|b;c' } }],
    ['cd ünïcode/😀', { parameters: { path: 'ünïcode/😀' } }],
    ['processes 4711', { parameters: { pid: 4711 } }],
    ['processes -PID 0042', { parameters: { pid: 42 } }],
    ['process -name powershell.exe', { name: 'processes', parameters: { name: 'powershell.exe' } }],
    ['processes -name x 7', { parameters: { pid: 7, name: 'x' } }],
    ['dir -FULL_PATH /tmp', { parameters: { path: '/tmp' }, flags: ['full_path'] }],
    ['getfile x -auto -AUTO', { flags: ['auto'] }],
    ['putfile x -keep -overwrite', { flags: ['overwrite', 'keep'] }],
    ['remediate file C:\\x -auto', { parameters: { type: 'file', id: 'C:\\x' }, flags: ['auto'] }],
    ['remediate -id C:\\x -type FILE', { parameters: { type: 'file', id: 'C:\\x' } }],
    ['remediate C:\\x -type file', { parameters: { type: 'file', id: 'C:\\x' } }],
    ['remediate process 4711', { parameters: { type: 'process', id: 4711 } }],
    ['remediate file 4711', { parameters: { type: 'file', id: '4711' } }],
    ['remediate list', { parameters: { type: 'list' } }],
    ['remediate list json', { parameters: { type: 'list' }, output: 'json' }],
    ['library', { parameters: {} }],
    ['library json', { parameters: {}, output: 'json' }],
    ['library delete json', { parameters: { action: 'delete', file: 'json' } }],
    ['connections json', { parameters: {}, output: 'json' }],
    ['connections -output JSON', { output: 'json' }],
    ['connections table', { output: 'table' }],
    ['processes json', { parameters: {}, output: 'json' }],
    ['processes 4 json', { parameters: { pid: 4 }, output: 'json' }],
    ['dir json', { parameters: { path: 'json' }, output: 'table' }],
    ['dir . json', { parameters: { path: '.' }, output: 'json' }],
    ['fileinfo x', { output: 'json' }],
    ['fileinfo x -output table', { output: 'table' }],
    ['run X.ps1&', { name: 'run', parameters: { script: 'X.ps1' }, background: true }],
    ['run x.ps1 & \t', { background: true }],
    ['run s.ps1 -parameters "-name x"', { parameters: { script: 's.ps1', parameters: '-name x' } }],
    ['run s.ps1 -parameters ""', { parameters: { script: 's.ps1', parameters: '' } }],
    ['run s.sh -parameters "-n ""x y"""', { parameters: { script: 's.sh', parameters: '-n "x y"' } }],
    ['processes > output.txt', { name: 'processes', redirect: 'output.txt' }],
    ['processes 2 > x', { parameters: { pid: 2 }, redirect: 'x' }],
    ['processes>output.txt', { redirect: 'output.txt' }],
    ['processes >"my output.txt"&', { redirect: 'my output.txt', background: true }],
    ['dir "a > b & c"', { parameters: { path: 'a > b & c' } }],
    [
      'registry HKEY_CURRENT_USER\\Console\\\\FaceName',
      { parameters: { path: 'HKEY_CURRENT_USER\\Console\\\\FaceName' } },
    ],
    ['help GetFile', { parameters: { command: 'GetFile' } }],
    ['trace OFF', { parameters: { state: 'off' } }],
    ['collect -output_folder /tmp/x', { parameters: { output_folder: '/tmp/x' } }],
  ])('%s', (line, expected) => {
    expect(accepted(line)).toMatchObject(expected);
  });

  it('has nothing but what was said', () => {
    expect(accepted('cd /')).toEqual({ name: 'cd', parameters: { path: '/' }, ...plain });
  });
});

describe('refused lines', () => {
  it.each<[string, string, number?, string?]>([
    ['', 'LINE_EMPTY'],
    [' \t ', 'LINE_EMPTY'],
    ['&', 'LINE_EMPTY'],
    ['> x', 'LINE_EMPTY'],
    ['dir \0', 'LINE_NOT_TEXT', 4],
    ['dir\n', 'LINE_NOT_TEXT', 3],
    ['😀\x7f', 'LINE_NOT_TEXT', 2],
    ['dir \x9b31m', 'LINE_NOT_TEXT', 4],
    ['dir \ud800', 'LINE_NOT_TEXT', 4],
    ['dir \udc00x', 'LINE_NOT_TEXT', 4],
    ['cd "C:\\x', 'QUOTE_UNCLOSED', 3],
    ['cd \'C:\\x"', 'QUOTE_UNCLOSED', 3],
    ['cd "C:\\x""', 'QUOTE_UNCLOSED', 3],
    ['cd "say \\"hi\\""', 'QUOTE_MISPLACED', 9],
    ['cd C:\\"Program Files"', 'QUOTE_MISPLACED', 6],
    ['dri', 'UNKNOWN_COMMAND', 0, 'dir'],
    [' proceses', 'UNKNOWN_COMMAND', 1, 'processes'],
    ['GETFILR x', 'UNKNOWN_COMMAND', 0, 'getfile'],
    ['powershell', 'UNKNOWN_COMMAND', 0],
    ['-dir', 'UNKNOWN_COMMAND', 0, 'dir'],
    ['__proto__', 'UNKNOWN_COMMAND', 0],
    ['processes -nam x', 'UNKNOWN_PARAMETER', 10, '-name'],
    ['processes -user x', 'UNKNOWN_PARAMETER', 10],
    ['processes -constructor x', 'UNKNOWN_PARAMETER', 10],
    ['getfile x --auto', 'UNKNOWN_FLAG', 10, '-auto'],
    ['getfile x -', 'UNKNOWN_FLAG', 10],
    ['getfile', 'PARAMETER_MISSING'],
    ['processes -name', 'PARAMETER_MISSING', 10],
    ['run s.ps1 -parameters -x', 'PARAMETER_MISSING', 10],
    ['remediate file', 'PARAMETER_MISSING'],
    ['remediate json', 'PARAMETER_MISSING'],
    ['library delete', 'PARAMETER_MISSING'],
    ['cd ""', 'PARAMETER_INVALID', 3],
    ['processes x', 'PARAMETER_INVALID', 10],
    ['processes 4294967296', 'PARAMETER_INVALID', 10],
    ['processes 1e3', 'PARAMETER_INVALID', 10],
    ['processes ١٢', 'PARAMETER_INVALID', 10],
    ['processes "json"', 'PARAMETER_INVALID', 10],
    ['remediate process abc', 'PARAMETER_INVALID', 18],
    ['remediate fil x', 'PARAMETER_INVALID', 10, 'file'],
    ['remediate list -id x', 'PARAMETER_INVALID', 19],
    ['remediate list x', 'PARAMETER_INVALID', 15],
    ['library add x', 'PARAMETER_INVALID', 8],
    ['library -file x', 'PARAMETER_INVALID', 14],
    ['fg "not an id"', 'PARAMETER_INVALID', 3],
    ['dir -full_path -relative_path', 'PARAMETER_INVALID', 15],
    ['processes -pid 4 -pid 5', 'PARAMETER_TWICE', 17],
    ['processes 4 -pid 5', 'PARAMETER_TWICE', 10],
    ['connections json -output json', 'PARAMETER_TWICE', 12],
    ['connections -output json -output json', 'PARAMETER_TWICE', 25],
    ['cd C:\\Program Files', 'TOO_MANY_PARAMETERS', 14],
    ['jobs x', 'TOO_MANY_PARAMETERS', 5],
    ['connections "json"', 'TOO_MANY_PARAMETERS', 12],
    ['connections json json', 'TOO_MANY_PARAMETERS', 12],
    ['connections -output xml', 'OUTPUT_INVALID', 20],
    ['connections -output', 'OUTPUT_INVALID', 12],
    ['run x -output json', 'OUTPUT_INVALID', 14],
    ['cls -output json', 'OUTPUT_INVALID', 12],
    ['cd / &', 'BACKGROUND_INVALID', 5],
    ['help&', 'BACKGROUND_INVALID', 4],
    ['getfile C:\\R&D\\x', 'BACKGROUND_INVALID', 12],
    ['run x.ps1 && dir', 'BACKGROUND_INVALID', 10],
    ['processes & > x', 'BACKGROUND_INVALID', 10],
    ['processes >', 'REDIRECT_INVALID', 10],
    ['processes > &', 'REDIRECT_INVALID', 10],
    ['processes > ""', 'REDIRECT_INVALID', 12],
    ['processes >> x', 'REDIRECT_INVALID', 10],
    ['processes > a > b', 'REDIRECT_INVALID', 14],
    ['dir > a C:\\temp', 'REDIRECT_INVALID', 8],
    ['dir > -output json', 'REDIRECT_INVALID', 6],
    ['cls > x', 'REDIRECT_INVALID', 6],
    ['processes 2> x', 'REDIRECT_INVALID', 10],
  ])('%j is refused as %s', (line, code, position, suggestion) => {
    const result = parseCommand(line, catalogue);
    expect(result).toMatchObject({ ok: false, code });
    if (result.ok) return;
    expect(result.position).toBe(position);
    expect(result.suggestion).toBe(suggestion);
    expect(result.message).toMatch(/\.$|\?$/);
  });

  it.each([';', '&', '|', '!', '$'])('refuses %s in the parameters of a script and says why', (character) => {
    const result = parseCommand(`run x.sh -parameters "a ${character} b"`, catalogue);
    expect(result).toMatchObject({ ok: false, code: 'PARAMETER_INVALID', position: 21 });
    expect(result.ok ? '' : result.message).toContain(`may not contain ${character}.`);
  });

  it('does not repeat a long word in full', () => {
    const result = parseCommand(`${'😀'.repeat(1000)} x`, catalogue);
    expect(result.ok ? '' : result.message).toContain(`'${'😀'.repeat(40)}…'`);
    expect(result.ok ? '' : result.message.length).toBeLessThan(200);
  });
});

describe('length of a line', () => {
  it.each([
    ['ASCII', 'a'],
    ['two bytes', 'ß'],
    ['three bytes', '€'],
    ['four bytes', '😀'],
  ])('counts %s as UTF-8', (_, character) => {
    const bytes = Buffer.byteLength(character);
    const start = 'dir ';
    const fill = 10_240 - start.length;
    const exact = start + character.repeat(Math.floor(fill / bytes)) + 'x'.repeat(fill % bytes);
    expect(Buffer.byteLength(exact)).toBe(10_240);
    expect(parseLine(exact)).toMatchObject({ ok: true });
    expect(parseLine(`${exact}x`)).toMatchObject({ ok: false, code: 'LINE_TOO_LONG' });
  });

  it('counts white space too', () => {
    expect(parseLine(`dir${' '.repeat(10_237)}`)).toMatchObject({ ok: true });
    expect(parseLine(`dir${' '.repeat(10_238)}`)).toMatchObject({ ok: false, code: 'LINE_TOO_LONG' });
  });
});
