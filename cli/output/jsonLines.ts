import { StringDecoder } from 'node:string_decoder';

/** Cuts JSON lines out of bytes that come in any pieces. Blank lines are left out. */
export class JsonLines {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  /** The lines that `bytes` completed. */
  add(bytes: Uint8Array): string[] {
    return this.#take(this.#decoder.write(bytes));
  }

  /** What came after the last line end. */
  end(): string[] {
    return this.#take(`${this.#decoder.end()}\n`);
  }

  #take(text: string): string[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.filter((line) => line.trim() !== '');
  }
}

export type Row = Readonly<Record<string, unknown>>;

/** Undefined for a line that is not a row. */
export const rowOf = (line: string): Row | undefined => {
  try {
    const row: unknown = JSON.parse(line);
    return typeof row === 'object' && row !== null ? (row as Row) : undefined;
  } catch {
    return undefined;
  }
};
