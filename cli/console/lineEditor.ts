import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from 'node:readline';
import { PassThrough } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Replacement } from './completion/tabCompletion.ts';
import type { LineHistory } from './lineHistory.ts';
import { ReverseSearch } from './reverseSearch.ts';

export interface LineEditorOptions {
  readonly history: LineHistory;
  /** `line` ends at the cursor. Must not throw. */
  readonly complete: (line: string) => Promise<Replacement | undefined>;
  readonly onInterrupt: () => void;
  readonly onSuspend: () => void;
  /** Ctrl+D, or the terminal is gone. */
  readonly onClosed: () => void;
}

/** One line at a time from the terminal, with history, completion and search; what is typed ahead is kept. */
export class LineEditor {
  readonly #options: LineEditorOptions;
  readonly #input: KeyInput;
  readonly #interface: Interface;
  readonly #typedAhead: string[] = [];
  #isAnswer = false;
  #isClosed = false;
  #prompt = '';
  #asked: ((line: string | undefined) => void) | undefined;
  #search: { readonly state: ReverseSearch; readonly typed: string } | undefined;

  constructor(options: LineEditorOptions) {
    this.#options = options;
    this.#input = new KeyInput((key) => this.#filter(key));
    const { history } = options;
    this.#interface = createInterface({
      input: this.#input,
      output: process.stdout,
      terminal: true,
      history: [...history.lines],
      historySize: 1_000,
      completer: (line: string, done: (error: null, completions: [string[], string]) => void): void =>
        void options
          .complete(line)
          .then((added) => done(null, added === undefined ? [[], line] : [[added.text], added.typed])),
    });
    this.#interface.setPrompt('');
    this.#interface.on('history', (lines) => {
      // The new line stands first. An answer to a question is no line, and the history decides about the others.
      if (!this.#isAnswer && lines[0] !== undefined) history.add(lines[0]);
      lines.splice(0, lines.length, ...history.lines);
    });
    this.#interface.on('line', (line) => {
      if (this.#asked === undefined) this.#typedAhead.push(line);
      else this.#settle(line);
    });
    this.#interface.on('SIGINT', options.onInterrupt);
    this.#interface.on('SIGTSTP', options.onSuspend);
    this.#interface.on('close', () => {
      if (this.#isClosed) return;
      this.close();
      process.stdout.write('\n');
      options.onClosed();
      this.#settle(undefined);
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isPrompting(): boolean {
    return this.#asked !== undefined && !this.#isClosed;
  }

  /** The next line; undefined when none will come. */
  nextLine(prompt: string): Promise<string | undefined> {
    const typed = this.#typedAhead.shift();
    return typed === undefined ? this.#ask(prompt, false) : Promise.resolve(typed);
  }

  /** The answer to a question. It is not kept. */
  answer(question: string): Promise<string | undefined> {
    return this.#ask(question, true);
  }

  /** Settles the question that is open with nothing. */
  stopAsking(): void {
    this.#settle(undefined);
  }

  /** Begins the line anew. */
  dropLine(): void {
    this.#write('');
    this.#interface.prompt();
  }

  /** Runs `show`, which may write lines; the prompt and what is typed stand below them afterwards. */
  between(show: () => void): void {
    if (!this.isPrompting) return show();
    const { rows } = this.#interface.getCursorPos();
    moveCursor(process.stdout, 0, -rows);
    cursorTo(process.stdout, 0);
    clearScreenDown(process.stdout);
    show();
    // Otherwise it would go up again to where the line began before, and wipe what was shown.
    Object.assign(this.#interface, { prevRows: 0 });
    this.#interface.prompt(true);
  }

  close(): void {
    this.#isClosed = true;
    this.#input.detach();
    this.#interface.close();
  }

  #ask(prompt: string, isAnswer: boolean): Promise<string | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    this.#isAnswer = isAnswer;
    this.#prompt = prompt;
    this.#interface.setPrompt(prompt);
    return new Promise((resolve) => {
      this.#asked = resolve;
      this.#interface.prompt();
    });
  }

  #settle(line: string | undefined): void {
    const asked = this.#asked;
    this.#asked = undefined;
    asked?.(line);
  }

  /** Takes keys away from the editor while a search goes on; gives what the editor is to have. */
  #filter(key: string): string {
    if (this.#search === undefined) {
      if (key !== '\u0012' || !this.isPrompting || this.#isAnswer) return key;
      this.#search = { state: new ReverseSearch(this.#options.history.lines), typed: this.#interface.line };
      this.#showSearch();
      return '';
    }
    const step = this.#search.state.press(key);
    if (step.kind === 'searching') {
      this.#showSearch();
      return '';
    }
    const line = step.kind === 'taken' ? this.#search.state.line : this.#search.typed;
    this.#search = undefined;
    this.#interface.setPrompt(this.#prompt);
    this.#write(line);
    this.#interface.prompt(true);
    return step.kind === 'taken' ? step.keys : '';
  }

  #showSearch(): void {
    if (this.#search === undefined) return;
    this.#interface.setPrompt(this.#search.state.prompt);
    this.#write(this.#search.state.line);
    this.#interface.prompt(true);
  }

  /** Puts a line in the place of the one being typed, also of what stands after the cursor. */
  #write(line: string): void {
    this.#interface.write(null, { ctrl: true, name: 'e' });
    this.#interface.write(null, { ctrl: true, name: 'u' });
    if (line !== '') this.#interface.write(line);
  }
}

/** The keyboard, key by key through a filter: readline itself has no search. */
class KeyInput extends PassThrough {
  readonly isTTY = true;
  readonly #filter: (key: string) => string;
  readonly #decoder = new StringDecoder('utf8');
  #queue = Promise.resolve();

  constructor(filter: (key: string) => string) {
    super();
    this.#filter = filter;
    process.stdin.on('data', this.#onKeys);
    process.stdin.on('end', this.#onEnd);
    process.stdin.resume();
  }

  get isRaw(): boolean {
    return process.stdin.isRaw;
  }

  setRawMode(isRaw: boolean): this {
    process.stdin.setRawMode(isRaw);
    return this;
  }

  detach(): void {
    process.stdin.off('data', this.#onKeys);
    process.stdin.off('end', this.#onEnd);
    process.stdin.pause();
  }

  readonly #onEnd = () => this.end();

  readonly #onKeys = (bytes: Buffer) => {
    const keys = this.#decoder.write(bytes);
    this.#queue = this.#queue.then(() => this.#pass(keys));
  };

  async #pass(keys: string): Promise<void> {
    // An escape sequence is one key, so that its letters are not taken for text.
    for (const [key] of keys.matchAll(/\u001b(?:\[[\d;]*[ -/]*[@-~]|O.)?|[^]/gu)) {
      const passed = this.#filter(key);
      if (passed === '') continue;
      this.write(passed);
      // Only when the editor has had it does the next key mean what it means.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
