import type { OutputWriter } from '../output/outputWriter.ts';
import { sayEnd, sayFile } from '../session/say.ts';
import type { OutputStream } from '../session/sessionEvent.ts';
import type { CommandFile, CommandListener, TrackedCommand } from '../session/trackedCommand.ts';
import { shownInLine } from '../terminal/neutralise.ts';
import type { RedirectedOutput } from './redirectedOutput.ts';

/** Where a view shows things. */
export interface ViewScreen {
  /** Runs `show` so that a prompt with a half-typed line is put back afterwards. */
  between(show: () => void): void;
  readonly say: (line: string) => void;
}

/**
 * What the user sees of one command: its output as it arrives while it is waited for, held back while it is in the
 * background or no longer waited for, and shown when it ends or comes to the foreground.
 */
export class CommandView implements CommandListener {
  readonly command: TrackedCommand;
  /** Told when the command comes (back) to the foreground. */
  onForeground: (view: CommandView) => void = () => {};
  readonly #screen: ViewScreen;
  readonly #writer: OutputWriter;
  readonly #redirect: RedirectedOutput | undefined;
  readonly #held: { readonly stream: OutputStream; readonly bytes: Uint8Array }[] = [];
  #isLeft = false;
  #release = Promise.withResolvers<void>();

  constructor(
    command: TrackedCommand,
    screen: ViewScreen,
    writer: OutputWriter,
    redirect: RedirectedOutput | undefined,
  ) {
    this.command = command;
    this.#screen = screen;
    this.#writer = redirect?.writerFor(command) ?? writer;
    this.#redirect = redirect;
    // Also when the events stop before the command has ended.
    void command.ended.then(() => this.#release.resolve());
  }

  /** Settles when the command needs no more waiting: it has ended, gone to the background or been left. */
  get released(): Promise<void> {
    return this.#release.promise;
  }

  /** Stops waiting; the command goes on and its end is reported like that of a background command. */
  leave(): void {
    this.#isLeft = true;
    this.#release.resolve();
  }

  output(stream: OutputStream, bytes: Uint8Array): void {
    if (this.#isHidden && this.#redirect === undefined) this.#held.push({ stream, bytes });
    else this.#writer.write(stream, bytes);
  }

  file(file: CommandFile): void {
    this.#screen.between(() => sayFile(file, 'download', this.#screen.say));
  }

  sentToBackground(): void {
    this.#release.resolve();
  }

  broughtToForeground(): void {
    this.#isLeft = false;
    this.#release = Promise.withResolvers();
    void this.command.ended.then(() => this.#release.resolve());
    this.#showHeld();
    this.onForeground(this);
  }

  ended(): void {
    this.#screen.between(() => {
      if (this.#isLeft && !this.command.background) this.#screen.say(`${shownInLine(this.command.line)}:`);
      this.#showHeld();
      this.#writer.end();
      if (this.#redirect !== undefined) this.#screen.say(shownInLine(this.#redirect.close()));
      sayEnd(this.command, this.#screen.say);
    });
  }

  get #isHidden(): boolean {
    return this.command.background || this.#isLeft;
  }

  #showHeld(): void {
    for (const { stream, bytes } of this.#held.splice(0)) this.#writer.write(stream, bytes);
  }
}
