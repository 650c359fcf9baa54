/** Output beyond this is forgotten, the oldest first: a search is for what a person has just seen. */
const mostCharacters = 8_000_000;

interface ShownCommand {
  readonly line: string;
  readonly lines: string[];
  characters: number;
}

/** A line of output that a search found. */
export interface FoundLine {
  /** What was typed to get it. */
  readonly command: string;
  /** From 1, within the output of that command. */
  readonly number: number;
  readonly text: string;
}

/** The output that the console has shown in this session, for searching. */
export class ShownOutput {
  /** The oldest first. */
  readonly #commands: ShownCommand[] = [];
  #characters = 0;

  /** Begins the output of one command; gives what takes its text, which may come in any pieces. */
  begin(line: string): (text: string) => void {
    const command: ShownCommand = { line, lines: [''], characters: 0 };
    this.#commands.push(command);
    return (text) => {
      const [first = '', ...others] = text.split('\n');
      command.lines[command.lines.length - 1] += first;
      command.lines.push(...others);
      command.characters += text.length;
      this.#characters += text.length;
      this.#forget();
    };
  }

  /** Lines that contain `text`, the oldest first; small letters match capitals, too. */
  find(text: string): FoundLine[] {
    const matches = matcherFor(text);
    return this.#commands.flatMap(({ line, lines }) =>
      lines.flatMap((shown, at) => (matches(shown) ? [{ command: line, number: at + 1, text: shown }] : [])),
    );
  }

  #forget(): void {
    while (this.#characters > mostCharacters && this.#commands.length > 1) {
      this.#characters -= this.#commands.shift()?.characters ?? 0;
    }
    const [only] = this.#commands;
    if (only === undefined || this.#characters <= mostCharacters) return;
    // A single output that is too long keeps its end; what is gone leaves blank lines, so that numbers stay right.
    for (let at = 0; at < only.lines.length - 1 && this.#characters > mostCharacters; at += 1) {
      const length = only.lines[at]?.length ?? 0;
      only.lines[at] = '';
      only.characters -= length;
      this.#characters -= length;
    }
  }
}

const matcherFor = (text: string): ((line: string) => boolean) => {
  const isExact = text !== text.toLowerCase();
  return isExact ? (line) => line.includes(text) : (line) => line.toLowerCase().includes(text);
};
