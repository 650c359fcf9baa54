import { clearLine, createInterface, cursorTo, type Interface } from 'node:readline';
import type { LiveResponseClient } from '../../sdk/index.ts';
import { exitCodes } from '../exitCodes.ts';
import { reportOf } from '../failure.ts';
import type { LiveSession } from '../session/liveSession.ts';
import { sessionEndText } from '../session/say.ts';
import { shownInLine } from '../terminal/neutralise.ts';
import { styled } from '../terminal/screen.ts';
import type { CommandView } from './commandView.ts';
import { completionsOf } from './language.ts';
import { runLine } from './lineRunner.ts';

/** A second Ctrl+C within this time stops waiting. */
const secondInterruptMs = 2_000;

/** The console on a terminal: a prompt, one foreground command at a time, keys that act on it. */
export class InteractiveConsole {
  readonly #client: LiveResponseClient;
  readonly #session: LiveSession;
  readonly #deviceName: string;
  readonly #typedAhead: string[] = [];
  #terminal: Interface | undefined;
  #history: string[] = [];
  #waiting: ((line: string | undefined) => void) | undefined;
  #foreground: CommandView | undefined;
  #interruptedAt = Number.NEGATIVE_INFINITY;

  constructor(client: LiveResponseClient, session: LiveSession, deviceName: string) {
    this.#client = client;
    this.#session = session;
    this.#deviceName = deviceName;
  }

  /** Ends when the user leaves or the session is over. */
  async run(): Promise<number> {
    this.#session.onInterruption = () =>
      this.#between(() =>
        this.#say(styled('yellow', 'The connection to the server was cut; taking it up again.')),
      );
    const over = () => this.#waiting?.(undefined);
    this.#session.settled.then(over, over);
    this.#attach();
    try {
      while (this.#session.end === undefined && this.#session.fault === undefined) {
        const line = await this.#nextLine();
        if (this.#session.end !== undefined || this.#session.fault !== undefined) break;
        const wantsToLeave = line === undefined || (await this.#runToEnd(line)) === 'leave';
        if (wantsToLeave && (await this.#mayLeave())) return exitCodes.completed;
      }
      if (this.#session.fault !== undefined) throw this.#session.fault;
      this.#say(sessionEndText(this.#session.end));
      return exitCodes.completed;
    } finally {
      this.#detach();
    }
  }

  async #runToEnd(line: string): Promise<'leave' | 'stay'> {
    const outcome = await runLine(line, {
      client: this.#client,
      session: this.#session,
      screen: { between: (show) => this.#between(show), say: (text) => this.#say(text) },
      onForeground: (view) => {
        this.#foreground = view;
      },
    });
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

  #nextLine(): Promise<string | undefined> {
    const typed = this.#typedAhead.shift();
    if (typed !== undefined) return Promise.resolve(typed);
    if (this.#terminal === undefined) return Promise.resolve(undefined);
    this.#terminal.setPrompt(`${shownInLine(this.#deviceName)}:${shownInLine(this.#session.directory)}> `);
    return new Promise((resolve) => {
      this.#waiting = (line) => {
        this.#waiting = undefined;
        resolve(line);
      };
      this.#terminal?.prompt();
    });
  }

  #attach(): void {
    const { device } = this.#session;
    const terminal = createInterface({
      input: process.stdin,
      output: process.stdout,
      history: this.#history,
      historySize: 500,
      removeHistoryDuplicates: true,
      completer: (line: string) => completionsOf(line, device),
    });
    this.#terminal = terminal;
    terminal.setPrompt('');
    terminal.on('history', (history) => {
      this.#history = history;
    });
    terminal.on('line', (line) => {
      if (this.#waiting === undefined) this.#typedAhead.push(line);
      else this.#waiting(line);
    });
    terminal.on('SIGINT', () => this.#interrupt());
    terminal.on('SIGTSTP', () => this.#sendToBackground());
    terminal.on('close', () => {
      if (this.#terminal !== terminal) return;
      this.#terminal = undefined;
      process.stdout.write('\n');
      // Ctrl+D while a command runs: ask at once, the command goes on.
      this.#foreground?.leave();
      this.#waiting?.(undefined);
    });
  }

  #detach(): void {
    const terminal = this.#terminal;
    this.#terminal = undefined;
    terminal?.close();
  }

  #interrupt(): void {
    const view = this.#foreground;
    if (view === undefined) {
      if (this.#waiting === undefined) return;
      process.stdout.write('^C\n');
      // Drops what is typed, also what stands after the cursor.
      this.#terminal?.write(null, { ctrl: true, name: 'e' });
      this.#terminal?.write(null, { ctrl: true, name: 'u' });
      this.#terminal?.prompt();
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
    if (this.#terminal === undefined) this.#attach();
    const answer = await new Promise<string | undefined>((resolve) => {
      this.#waiting = (line) => {
        this.#waiting = undefined;
        resolve(line);
      };
      this.#terminal?.setPrompt(question);
      this.#terminal?.prompt();
    });
    // No answer at all: the terminal is gone, or Ctrl+D was pressed again.
    return answer === undefined || /^y(es)?$/i.test(answer.trim());
  }

  #say(line: string): void {
    process.stdout.write(`${line}\n`);
  }

  #between(show: () => void): void {
    const isPrompting = this.#waiting !== undefined && this.#terminal !== undefined;
    if (isPrompting) {
      cursorTo(process.stdout, 0);
      clearLine(process.stdout, 0);
    }
    show();
    if (isPrompting) this.#terminal?.prompt(true);
  }
}
