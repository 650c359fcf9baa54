import { win32 } from 'node:path';
import * as z from 'zod';
import { CommandFailure } from '../../commands/commandFailure.ts';
import { type Tool, toolRecords, toolTextNow, unknownOutput } from '../tool.ts';

/** Values for a script. They reach it as JSON in a variable of its environment and never become part of its text. */
export type ScriptValues = Readonly<Record<string, string | number | boolean | null>>;

const variable = 'LIVE_RESPONSE_VALUES';

/** Windows passes at most so many characters on a command line. */
const mostCommandLine = 32_000;

/**
 * What every script begins with. Rows are lines of JSON in ASCII, so that no code page can change a name; dates and numbers
 * are written the same in every language of Windows; the last line counts the rows, so that a list which ends early is noticed.
 */
const prelude = `
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'
$culture = [System.Globalization.CultureInfo]::InvariantCulture
[System.Threading.Thread]::CurrentThread.CurrentCulture = $culture
[System.Threading.Thread]::CurrentThread.CurrentUICulture = $culture
$values = ConvertFrom-Json -InputObject $env:${variable}
$script:count = 0
function Write-Line($value) {
  $json = ConvertTo-Json -InputObject $value -Compress -Depth 6
  $ascii = [regex]::Replace($json, '[^\\x20-\\x7e]', { param($m) '\\u{0:x4}' -f [int][char]$m.Value })
  [Console]::Out.WriteLine($ascii)
}
function Row($value) { $script:count++; Write-Line @{ row = $value } }
function Fail($code, $message) { Write-Line @{ failure = @{ code = $code; message = $message } }; exit 0 }
function Iso($date) { if ($null -eq $date) { $null } else { ([datetime]$date).ToUniversalTime().ToString('o', $culture) } }
function Text($value) { if ($null -eq $value) { $null } else { [string]$value } }
`;

const scriptOf = (body: string): string => `${prelude}
try {
${body}
  Write-Line @{ end = $script:count }
} catch {
  [Console]::Error.WriteLine($_.FullyQualifiedErrorId + ': ' + $_.Exception.Message)
  exit 1
}
`;

/** How Windows PowerShell is told to run a fixed script. It is part of every Windows since 7. */
export const powershellTool = (body: string, values: ScriptValues = {}): Tool => {
  const encoded = Buffer.from(scriptOf(body), 'utf16le').toString('base64');
  if (encoded.length > mostCommandLine)
    throw new Error(`The script is too long: ${encoded.length} characters.`);
  const root = process.env['SystemRoot'] ?? 'C:\\Windows';
  return {
    file: win32.join(root, 'System32', 'WindowsPowerShell', 'v1.0', 'powershell.exe'),
    args: ['-NoLogo', '-NoProfile', '-NonInteractive', '-EncodedCommand', encoded],
    environment: { [variable]: JSON.stringify(values) },
  };
};

/** Rows of a script, each checked against its shape. */
export async function* powershellRows<Shape extends z.ZodType>(
  shape: Shape,
  body: string,
  values: ScriptValues = {},
): AsyncGenerator<z.infer<Shape>> {
  const tool = powershellTool(body, values);
  yield* scriptRows(shape, toolRecords(tool), tool.file);
}

const line = z.union([
  z.strictObject({ row: z.unknown() }),
  z.strictObject({ failure: z.strictObject({ code: z.string(), message: z.string() }) }),
  z.strictObject({ end: z.int() }),
]);

/** Reads what a script printed. Throws for anything that is not exactly that, and for a list without its end. */
export async function* scriptRows<Shape extends z.ZodType>(
  shape: Shape,
  lines: Iterable<Buffer> | AsyncIterable<Buffer>,
  file: string,
): AsyncGenerator<z.infer<Shape>> {
  const reader = new ScriptReader(shape, file);
  for await (const bytes of lines) yield* reader.read(bytes.toString('utf8'));
  reader.finish();
}

/** The same while everything waits, for what must be known at once. */
export const powershellRowsNow = <Shape extends z.ZodType>(
  shape: Shape,
  body: string,
  values: ScriptValues = {},
): readonly z.infer<Shape>[] => {
  const tool = powershellTool(body, values);
  const reader = new ScriptReader(shape, tool.file);
  const rows = toolTextNow(tool)
    .split('\n')
    .flatMap((text) => reader.read(text));
  reader.finish();
  return rows;
};

class ScriptReader<Shape extends z.ZodType> {
  readonly #shape: Shape;
  readonly #file: string;
  #count = 0;
  #end: number | undefined;

  constructor(shape: Shape, file: string) {
    this.#shape = shape;
    this.#file = file;
  }

  read(printed: string): readonly z.infer<Shape>[] {
    const text = printed.replace(/\r$/, '');
    if (text === '') return [];
    const read = lineOf(text, this.#file);
    if (this.#end !== undefined) throw unknownOutput(this.#file, `something after its end: ${text}`);
    if ('failure' in read) throw new CommandFailure(read.failure.code, read.failure.message);
    if ('end' in read) {
      this.#end = read.end;
      return [];
    }
    const row = this.#shape.safeParse(read.row);
    if (!row.success) throw unknownOutput(this.#file, `${z.prettifyError(row.error)} in ${text}`);
    this.#count += 1;
    return [row.data];
  }

  finish(): void {
    if (this.#end === this.#count) return;
    throw new CommandFailure(
      'TOOL_FAILED',
      `${this.#file} ended before its list did, after ${this.#count} rows. Try again.`,
    );
  }
}

const lineOf = (text: string, file: string): z.infer<typeof line> => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unknownOutput(file, text);
  }
  const read = line.safeParse(value);
  if (!read.success) throw unknownOutput(file, text);
  return read.data;
};
