import { keptNameOf } from '../../domain/catalogue/index.ts';
import type { LiveResponseClient } from '../../sdk/index.ts';
import { downloadFile } from '../commands/download.ts';
import { exitCodes } from '../exitCodes.ts';
import { reportOf } from '../failure.ts';
import { createOutputWriter, type OutputWriter } from '../output/outputWriter.ts';
import type { LiveSession } from '../session/liveSession.ts';
import type { CommandListener, TrackedCommand } from '../session/trackedCommand.ts';
import { shownInLine } from '../terminal/neutralise.ts';
import { screenWidth, styled } from '../terminal/screen.ts';
import { shownSize } from '../terminal/units.ts';
import { CommandView, type ViewScreen } from './commandView.ts';
import { openRedirect } from './redirectedOutput.ts';
import type { ShownOutput } from './shownOutput.ts';
import { searchedText, searchReport } from './shownOutputSearch.ts';

/** What a line came to: a command that runs, something that was done here, a refusal, or the wish to leave. */
export type LineOutcome =
  | { readonly kind: 'issued'; readonly view: CommandView }
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly exitCode: number }
  | { readonly kind: 'leave' };

export interface LineRunnerOptions {
  readonly client: LiveResponseClient;
  readonly session: LiveSession;
  readonly screen: ViewScreen;
  /** What `/text` searches. */
  readonly shown: ShownOutput;
  /** How tables are shown; `cut on` and `cut off` change it. */
  readonly tables: { cut: boolean };
  /** Sees the whole output of every command, whatever is shown of it. */
  readonly watch?: (command: TrackedCommand) => OutputWriter;
  readonly onForeground: (view: CommandView) => void;
  /** Told while a file is fetched what stops it, and undefined afterwards. */
  readonly duringTransfer?: (transfer: AbortController | undefined) => void;
}

const leaving = new Set(['exit', 'quit', 'disconnect']);
/** True for the words that end the session. */
export const isLeaving = (line: string): boolean => leaving.has(line.toLowerCase());
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Does what this client does itself and sends every other line to the server. Never throws for a refused line. */
export const runLine = async (typed: string, options: LineRunnerOptions): Promise<LineOutcome> => {
  const line = typed.trim();
  const word = line.toLowerCase();
  if (line === '') return { kind: 'done' };
  if (isLeaving(line)) return { kind: 'leave' };
  if (word === 'cls') {
    if (process.stdout.isTTY) process.stdout.write('\x1b[2J\x1b[3J\x1b[H');
    return { kind: 'done' };
  }
  const searched = searchedText(line);
  if (searched !== undefined) {
    process.stdout.write(searchReport(searched, options.shown));
    return { kind: 'done' };
  }
  const cut = /^cut(?:\s+(on|off))?$/.exec(word);
  if (cut !== null) {
    if (cut[1] !== undefined) options.tables.cut = cut[1] === 'on';
    options.screen.say(
      options.tables.cut
        ? 'Long cells of tables are cut; -output json shows all of them. cut off wraps them again.'
        : 'Long cells of tables are wrapped. cut on cuts them.',
    );
    return { kind: 'done' };
  }
  try {
    const fileId = downloadedFile(line, options.session);
    if (fileId !== undefined) return await download(fileId, options);
    return await issue(line, options);
  } catch (error) {
    const report = reportOf(error);
    if (report === undefined) throw error;
    const { message, next, exitCode } = report;
    options.screen.between(() => {
      options.screen.say(styled('red', shownInLine(message), process.stderr));
      if (next !== undefined) options.screen.say(next);
    });
    return { kind: 'refused', exitCode };
  }
};

const issue = async (line: string, options: LineRunnerOptions): Promise<LineOutcome> => {
  const { session, screen, shown, tables, watch, onForeground } = options;
  const wanted = keptNameOf(line);
  const redirect = wanted === undefined ? undefined : openRedirect(wanted);
  let view: CommandView | undefined;
  try {
    await session.issue(line, (command) => {
      const keep = shown.begin(line);
      const writer = createOutputWriter(command, {
        write: (text) => {
          keep(text);
          process.stdout.write(text);
        },
        writeError: (text) => {
          keep(text);
          process.stderr.write(text);
        },
        width: screenWidth(),
        cut: tables.cut,
        titleStyle: (text) => styled('bold', text),
      });
      view = new CommandView(command, screen, writer, redirect);
      view.onForeground = onForeground;
      return watch === undefined ? view : watched(view, watch(command));
    });
  } catch (error) {
    redirect?.remove();
    throw error;
  }
  return view === undefined ? { kind: 'done' } : { kind: 'issued', view };
};

/** The watcher is told first: what is shown after a command's end may be completed with what it put out. */
const watched = (view: CommandView, watcher: OutputWriter): CommandListener => ({
  output: (stream, bytes) => {
    watcher.write(stream, bytes);
    view.output(stream, bytes);
  },
  ended: () => {
    watcher.end();
    view.ended();
  },
  file: (file) => view.file(file),
  sentToBackground: () => view.sentToBackground(),
  broughtToForeground: () => view.broughtToForeground(),
});

/**
 * The file that `download X` means, when X is one this session collected (or its beginning) or looks like a file id. For
 * anything else `download` is the device's business.
 */
const downloadedFile = (line: string, { files }: LiveSession): string | undefined => {
  const asked = /^download\s+(\S+)$/i.exec(line)?.[1];
  if (asked === undefined) return undefined;
  const begun = files.filter(({ fileId }) => fileId.startsWith(asked));
  if (begun.length === 1) return begun[0]?.fileId;
  return files.some(({ fileId }) => fileId === asked) || uuid.test(asked) ? asked : undefined;
};

const download = async (
  fileId: string,
  { client, session, screen, duringTransfer = () => {} }: LineRunnerOptions,
): Promise<LineOutcome> => {
  const transfer = new AbortController();
  duringTransfer(transfer);
  try {
    const { signal } = transfer;
    const file = await downloadFile(client, session.sessionId, fileId, { overwrite: false, signal });
    screen.between(() =>
      screen.say(`${shownInLine(file.path)}: ${shownSize(file.size)}, SHA-256 ${file.sha256} as collected.`),
    );
    return { kind: 'done' };
  } finally {
    duringTransfer(undefined);
  }
};

/** The exit code of what a line came to, once it has ended. */
export const refusedExitCode = (outcome: LineOutcome): number =>
  outcome.kind === 'refused' ? outcome.exitCode : exitCodes.completed;
