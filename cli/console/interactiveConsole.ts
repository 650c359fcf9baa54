import type { LiveResponseClient } from '../../sdk/index.ts';
import { exitCodes } from '../exitCodes.ts';
import { Failure, reportOf } from '../failure.ts';
import type { LiveSession } from '../session/liveSession.ts';
import { sessionEndText } from '../session/say.ts';
import { shownInLine } from '../terminal/neutralise.ts';
import { screenWidth, styled } from '../terminal/screen.ts';
import { wrapped } from '../terminal/wrapped.ts';
import type { CommandView } from './commandView.ts';
import { RemotePaths } from './completion/remotePaths.ts';
import { commandIds, fileIds } from './completion/sessionValues.ts';
import { TabCompletion } from './completion/tabCompletion.ts';
import { LineEditor } from './lineEditor.ts';
import type { LineHistory } from './lineHistory.ts';
import { type LineRunnerOptions, runLine } from './lineRunner.ts';
import { listQuietly } from './quietListing.ts';
import { ShownOutput } from './shownOutput.ts';

/** A second Ctrl+C within this time stops waiting. */
const secondInterruptMs = 2_000;

export interface InteractiveConsoleOptions {
  readonly client: LiveResponseClient;
  readonly session: LiveSession;
  readonly deviceName: string;
  readonly history: LineHistory;
  /** Whether long cells of tables are cut instead of wrapped. */
  readonly cut: boolean;
}

/** The console on a terminal: a prompt, one foreground command at a time, keys that act on it. */
export class InteractiveConsole {
  readonly #session: LiveSession;
  readonly #deviceName: string;
  readonly #history: LineHistory;
  readonly #completion: TabCompletion;
  readonly #runner: LineRunnerOptions;
  #editor: LineEditor;
  #foreground: CommandView | undefined;
  #transfer: AbortController | undefined;
  #interruptedAt = Number.NEGATIVE_INFINITY;

  constructor({ client, session, deviceName, history, cut }: InteractiveConsoleOptions) {
    this.#session = session;
    this.#deviceName = deviceName;
    this.#history = history;
    const paths: RemotePaths = new RemotePaths({
      platform: session.device?.platform ?? '',
      directory: () => session.directory,
      list: (line) => listQuietly(session, line, paths),
    });
    this.#completion = new TabCompletion({
      device: () => session.device,
      sources: [fileIds(session), commandIds(session), (value) => paths.source(value)],
      show: (text) => this.#between(() => process.stdout.write(text)),
      say: (sentence) => this.#between(() => this.#say(sentence)),
      width: screenWidth,
    });
    this.#runner = {
      client,
      session,
      screen: { between: (show) => this.#between(show), say: (text) => this.#say(text) },
      shown: new ShownOutput(),
      tables: { cut },
      watch: (command) => paths.watch(command),
      onForeground: (view) => {
        this.#foreground = view;
      },
      duringTransfer: (transfer) => {
        this.#transfer = transfer;
      },
    };
    this.#editor = this.#openEditor();
  }

  /** Ends when the user leaves or the session is over. */
  async run(): Promise<number> {
    this.#session.onInterruption = () =>
      this.#between(() =>
        this.#say(styled('yellow', 'The connection to the server was cut; taking it up again.')),
      );
    const over = () => this.#editor.stopAsking();
    this.#session.settled.then(over, over);
    this.#sayHistoryFault();
    try {
      while (this.#session.end === undefined && this.#session.fault === undefined) {
        const line = await this.#editor.nextLine(this.#prompt);
        if (this.#session.end !== undefined || this.#session.fault !== undefined) break;
        const wantsToLeave = line === undefined || (await this.#runToEnd(line)) === 'leave';
        if (wantsToLeave && (await this.#mayLeave())) return exitCodes.completed;
      }
      if (this.#session.fault !== undefined) throw this.#session.fault;
      this.#say(sessionEndText(this.#session.end));
      return exitCodes.completed;
    } finally {
      this.#editor.close();
    }
  }

  async #runToEnd(line: string): Promise<'leave' | 'stay'> {
    const outcome = await runLine(line, this.#runner);
    if (outcome.kind === 'leave') return 'leave';
    if (outcome.kind !== 'issued') return 'stay';
    const { view } = outcome;
    if (view.command.background) {
      this.#say(`In the background as ${view.command.commandId}.`);
      return 'stay';
    }
    this.#foreground ??= view;
    await view.released;
    if (this.#foreground === view) this.#foreground = undefined;
    // `fg` put another command into the foreground while it ran.
    const raised: CommandView | undefined = this.#foreground;
    await raised?.released;
    this.#foreground = undefined;
    return 'stay';
  }

  get #prompt(): string {
    return `${shownInLine(this.#deviceName)}:${shownInLine(this.#session.directory)}> `;
  }

  #openEditor(): LineEditor {
    return new LineEditor({
      history: this.#history,
      complete: (line) => this.#completion.complete(line),
      onInterrupt: () => this.#interrupt(),
      onSuspend: () => this.#sendToBackground(),
      // Ctrl+D while a command runs: ask at once, the command goes on.
      onClosed: () => this.#foreground?.leave(),
    });
  }

  #interrupt(): void {
    if (this.#transfer !== undefined) {
      this.#transfer.abort(transferStopped());
      return;
    }
    const view = this.#foreground;
    if (view === undefined) {
      if (!this.#editor.isPrompting) return;
      process.stdout.write('^C\n');
      this.#editor.dropLine();
      return;
    }
    const isSecond = performance.now() - this.#interruptedAt < secondInterruptMs;
    this.#interruptedAt = performance.now();
    if (isSecond) {
      this.#say('Not waiting any more; its end will be reported.');
      return view.leave();
    }
    this.#say('Cancelling on the device. Ctrl+C again to stop waiting.');
    this.#attempt(this.#session.cancel(view.command));
  }

  #sendToBackground(): void {
    if (this.#foreground !== undefined)
      this.#attempt(this.#session.sendToBackground(this.#foreground.command));
  }

  /** For what a key asks of the server: a refusal is told, nothing else changes. */
  #attempt(work: Promise<void>): void {
    work.catch((error: unknown) => {
      const message = reportOf(error)?.message ?? String(error);
      this.#between(() => this.#say(styled('red', shownInLine(message))));
    });
  }

  async #mayLeave(): Promise<boolean> {
    const open = this.#session.openCommands;
    if (open.length === 0) return true;
    const lines = open.map(({ line }) => shownInLine(line)).join(', ');
    const question = `${open.length === 1 ? 'A command still runs' : `${open.length} commands still run`} (${lines}). Disconnect and end ${open.length === 1 ? 'it' : 'them'}? [y/N] `;
    if (this.#editor.isClosed) this.#editor = this.#openEditor();
    const answer = await this.#editor.answer(question);
    // No answer at all: the terminal is gone, or Ctrl+D was pressed again.
    return answer === undefined || /^y(es)?$/i.test(answer.trim());
  }

  #sayHistoryFault(): void {
    if (this.#history.fault === undefined) return;
    this.#say(`What you type is not kept for the next session: ${shownInLine(this.#history.fault)}`);
  }

  #say(line: string): void {
    process.stdout.write(`${wrapped(line, screenWidth())}\n`);
  }

  #between(show: () => void): void {
    this.#editor.between(show);
  }
}

const transferStopped = (): Failure =>
  new Failure(
    exitCodes.stopped,
    'STOPPED',
    'The download was stopped.',
    'Give the same line again: it goes on where it was.',
  );
