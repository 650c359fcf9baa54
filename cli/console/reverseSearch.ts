/** What a key came to during a search. */
export type SearchStep =
  | { readonly kind: 'searching' }
  /** The line is taken over; `keys` go to the editor, which may run it. */
  | { readonly kind: 'taken'; readonly keys: string }
  | { readonly kind: 'dropped' };

const searching: SearchStep = { kind: 'searching' };

/** Ctrl+R: looks through the lines typed before, newest first, for one that contains what is typed. */
export class ReverseSearch {
  readonly #lines: readonly string[];
  #text = '';
  #at = -1;
  #isFound = true;

  /** Newest first. */
  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  /** The line that was found last. */
  get line(): string {
    return this.#lines[this.#at] ?? '';
  }

  get prompt(): string {
    return `${this.#isFound ? 'search' : 'no line has'} '${this.#text}': `;
  }

  /** One key: a character, or an escape sequence. */
  press(key: string): SearchStep {
    switch (key) {
      case '\u0012':
        this.#find(this.#at + 1);
        return searching;
      case '\u007f':
      case '\b':
        this.#text = Array.from(this.#text).slice(0, -1).join('');
        this.#find(0);
        return searching;
      case '\u0003':
      case '\u0007':
        return { kind: 'dropped' };
      case '\u001b':
        return { kind: 'taken', keys: '' };
      default:
        if (key < ' ') return { kind: 'taken', keys: key };
        this.#text += key;
        this.#find(Math.max(0, this.#at));
        return searching;
    }
  }

  /** A search that finds nothing older keeps what it has found. */
  #find(from: number): void {
    if (this.#text === '') {
      this.#at = -1;
      this.#isFound = true;
      return;
    }
    const found = this.#lines.findIndex((line, at) => at >= from && line.includes(this.#text));
    this.#isFound = found !== -1;
    if (this.#isFound) this.#at = found;
  }
}
