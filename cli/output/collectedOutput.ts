import type { OutputStream } from '../session/sessionEvent.ts';
import { hasRows } from './columns.ts';

/** A command's whole output as machines get it: rows of a table, or text, and what a script printed on its stderr. */
export interface MachineOutput {
  readonly rows?: readonly unknown[];
  readonly text?: string;
  readonly stderr?: string;
}

/** Collects the parts of one command. Output that is both rows and text gives both. */
export class CollectedOutput {
  readonly #rows: Uint8Array[] = [];
  readonly #text: Uint8Array[] = [];
  readonly #stderr: Uint8Array[] = [];

  add(commandName: string, stream: OutputStream, bytes: Uint8Array): void {
    const isRows = stream === 'result' && hasRows(commandName);
    (isRows ? this.#rows : stream === 'stderr' ? this.#stderr : this.#text).push(bytes);
  }

  output(commandName: string): MachineOutput {
    const text = Buffer.concat(this.#text).toString('utf8');
    const stderr = Buffer.concat(this.#stderr).toString('utf8');
    const errors = stderr === '' ? {} : { stderr };
    if (!hasRows(commandName)) return { text, ...errors };
    const rows = rowsOf(Buffer.concat(this.#rows).toString('utf8'));
    return { rows, ...(text === '' ? {} : { text }), ...errors };
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
