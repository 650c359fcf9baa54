import type { OutputStream } from '../session/sessionEvent.ts';
import { hasRows } from './columns.ts';

/** A command's whole output as machines get it: rows of a table, or text. */
export interface MachineOutput {
  readonly rows?: readonly unknown[];
  readonly text?: string;
}

/** Collects the parts of one command. Output that is both rows and text gives both. */
export class CollectedOutput {
  readonly #rows: Uint8Array[] = [];
  readonly #text: Uint8Array[] = [];

  add(commandName: string, stream: OutputStream, bytes: Uint8Array): void {
    const isRows = stream === 'result' && hasRows(commandName);
    (isRows ? this.#rows : this.#text).push(bytes);
  }

  output(commandName: string): MachineOutput {
    const text = Buffer.concat(this.#text).toString('utf8');
    if (!hasRows(commandName)) return { text };
    const rows = rowsOf(Buffer.concat(this.#rows).toString('utf8'));
    return text === '' ? { rows } : { rows, text };
  }
}

/** A line that is no JSON is given as text: it is part of the evidence. */
const rowsOf = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line): unknown => {
      try {
        return JSON.parse(line);
      } catch {
        return line;
      }
    });
