import { spawn, spawnSync } from 'node:child_process';
import { basename } from 'node:path';
import { CommandFailure } from '../commands/commandFailure.ts';

/** One run of a program that comes with the operating system. */
export interface Tool {
  /** Absolute: whoever can write to a folder of the search path must not become part of an investigation. */
  readonly file: string;
  /** Each is one argument, whatever is in it; no shell sees them. */
  readonly args: readonly string[];
  /** Beside those of the agent and a locale in which every system prints the same; undefined leaves one out. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Exit codes that mean success. */
  readonly successCodes?: readonly number[];
  readonly timeLimitMs?: number;
}

const defaultTimeLimitMs = 120_000;
const newLine = 0x0a;
/** A record longer than this is no record of any of our tools. */
const mostRecord = 32 * 1024 * 1024;
const mostErrorText = 4096;
const sameEverywhere = { LANG: 'C', LC_ALL: 'C', TZ: 'UTC' };

/**
 * Output of a tool, record by record (lines unless told otherwise) without the separators, as it comes. Throws a
 * CommandFailure when the tool is missing, takes too long or says by its exit code that it failed: never a list that
 * ends early and passes for whole.
 */
export async function* toolRecords(tool: Tool, separator = newLine): AsyncGenerator<Buffer> {
  const { file, args, environment = {}, timeLimitMs = defaultTimeLimitMs } = tool;
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...sameEverywhere, ...environment },
    windowsHide: true,
  });
  let fault: NodeJS.ErrnoException | undefined;
  const ended = new Promise<{ readonly code: number | null; readonly signal: string | null }>((resolve) => {
    child.once('error', (error) => {
      fault = error;
      resolve({ code: null, signal: null });
    });
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  let errorText = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (errorText.length < mostErrorText) errorText += text;
  });
  let isTooSlow = false;
  const limit = setTimeout(() => {
    isTooSlow = true;
    child.kill('SIGKILL');
  }, timeLimitMs);
  try {
    const begun: Buffer[] = [];
    let size = 0;
    for await (const piece of child.stdout as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = piece.indexOf(separator); end !== -1; end = piece.indexOf(separator, start)) {
        begun.push(piece.subarray(start, end));
        yield begun.length === 1 ? (begun[0] as Buffer) : Buffer.concat(begun);
        begun.length = 0;
        size = 0;
        start = end + 1;
      }
      begun.push(piece.subarray(start));
      size += piece.length - start;
      if (size > mostRecord) throw unknownOutput(file, `a record of more than ${mostRecord} bytes`);
    }
    const { code, signal } = await ended;
    requireSuccess(tool, { code, signal, errorText, isTooSlow, ...(fault === undefined ? {} : { fault }) });
    if (size > 0) yield Buffer.concat(begun);
  } finally {
    clearTimeout(limit);
    child.kill('SIGKILL');
  }
}

/** All that a tool prints, for tools that print little. */
export const toolText = async (tool: Tool): Promise<string> => {
  const lines: string[] = [];
  for await (const line of toolRecords(tool)) lines.push(line.toString('utf8'));
  return lines.join('\n');
};

/** The same while everything waits, for what must be known at once. */
export const toolTextNow = (tool: Tool): string => {
  const { file, args, environment = {}, timeLimitMs = defaultTimeLimitMs } = tool;
  const { status, signal, stdout, stderr, error } = spawnSync(file, args, {
    env: { ...process.env, ...sameEverywhere, ...environment },
    maxBuffer: 256 * 1024 * 1024,
    timeout: timeLimitMs,
    killSignal: 'SIGKILL',
    windowsHide: true,
    encoding: 'utf8',
  });
  const fault = error as NodeJS.ErrnoException | undefined;
  const isTooSlow = fault?.code === 'ETIMEDOUT';
  requireSuccess(tool, {
    code: status,
    signal,
    errorText: stderr,
    isTooSlow,
    ...(fault === undefined || isTooSlow ? {} : { fault }),
  });
  return stdout;
};

interface ToolEnd {
  readonly code: number | null;
  readonly signal: string | null;
  readonly errorText: string;
  readonly isTooSlow: boolean;
  readonly fault?: NodeJS.ErrnoException;
}

const requireSuccess = (tool: Tool, { code, signal, errorText, isTooSlow, fault }: ToolEnd): void => {
  const { file, timeLimitMs = defaultTimeLimitMs, successCodes = [0] } = tool;
  if (fault !== undefined) throw missing(file, fault);
  if (isTooSlow) {
    throw new CommandFailure(
      'TOOL_TIMED_OUT',
      `${file} did not end within ${timeLimitMs / 1000} seconds and was ended. What it listed until then is not all.`,
    );
  }
  if (code === null || !successCodes.includes(code)) {
    const said = errorText.trim() === '' ? 'It said nothing about it.' : `It said: ${errorText.trim()}`;
    throw new CommandFailure('TOOL_FAILED', `${file} failed (${signal ?? `exit code ${code}`}). ${said}`);
  }
};

const missing = (file: string, { code, message }: NodeJS.ErrnoException): CommandFailure =>
  code === 'ENOENT'
    ? new CommandFailure('TOOL_MISSING', `${file} is not on this system.`)
    : new CommandFailure('TOOL_FAILED', `${file} could not be started: ${message}`);

/** For what a parser does not know: another version or language of the tool must not be taken for an empty list. */
export const unknownOutput = (file: string, what: string): CommandFailure =>
  new CommandFailure(
    'TOOL_OUTPUT_UNKNOWN',
    `${basename(file)} printed what this agent does not understand: ${what.slice(0, 300)}. Update the agent, or report this text.`,
  );
