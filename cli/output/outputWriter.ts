import { StringDecoder } from 'node:string_decoder';
import type { OutputStream } from '../session/sessionEvent.ts';
import type { TrackedCommand } from '../session/trackedCommand.ts';
import { shownAsJson, shownAsText, shownInLine } from '../terminal/neutralise.ts';
import { fittingWidths, renderRows } from '../terminal/table.ts';
import { cellOf } from './cells.ts';
import { hasRows, outputColumns } from './columns.ts';
import { helpPageOf } from './helpPage.ts';
import { JsonLines, rowOf } from './jsonLines.ts';

/** Turns the bytes of one command into text for people, as they arrive. Everything it writes is safe to show. */
export interface OutputWriter {
  write(stream: OutputStream, bytes: Uint8Array): void;
  end(): void;
}

export interface OutputPage {
  readonly write: (text: string) => void;
  /** For what a script prints on its stderr; without it that goes where everything goes. */
  readonly writeError?: (text: string) => void;
  /** Columns of the terminal, or Infinity. */
  readonly width: number;
  /** Cuts long cells of tables instead of wrapping them. */
  readonly cut?: boolean;
  readonly titleStyle: (text: string) => string;
}

export const createOutputWriter = (command: TrackedCommand, page: OutputPage): OutputWriter => {
  let rows: OutputWriter | undefined;
  const texts = createTextWriter(page.write);
  const errors = page.writeError === undefined ? texts : createTextWriter(page.writeError);
  return {
    write: (stream, bytes) => {
      if (stream === 'stderr') return errors.write(stream, bytes);
      if (stream !== 'result' || !hasRows(command.name)) return texts.write(stream, bytes);
      rows ??= createRowWriter(command, page);
      rows.write(stream, bytes);
    },
    end: () => {
      rows?.end();
      texts.end();
      errors.end();
    },
  };
};

const createTextWriter = (write: OutputPage['write']): OutputWriter => {
  // A character, or a line end of two characters, may be cut between two parts.
  const decoders = new Map<OutputStream, StringDecoder>();
  let held = '';
  let atLineStart = true;
  const show = (text: string) => {
    if (text === '') return;
    write(shownAsText(text));
    atLineStart = text.endsWith('\n');
  };
  return {
    write: (stream, bytes) => {
      const decoder = decoders.get(stream) ?? new StringDecoder('utf8');
      decoders.set(stream, decoder);
      const text = held + decoder.write(bytes);
      held = text.endsWith('\r') ? '\r' : '';
      show(text.slice(0, text.length - held.length));
    },
    end: () => {
      show(held + [...decoders.values()].map((decoder) => decoder.end()).join(''));
      held = '';
      decoders.clear();
      if (!atLineStart) write('\n');
      atLineStart = true;
    },
  };
};

/** Rows come as JSON lines, and a line may be cut between two parts. */
const createRowWriter = (command: TrackedCommand, page: OutputPage): OutputWriter => {
  const present = command.output === 'json' ? jsonPresenter(page) : tablePresenter(command, page);
  const incoming = new JsonLines();
  const take = (lines: readonly string[]) => {
    if (lines.length > 0) present(lines);
  };
  return {
    write: (_stream, bytes) => take(incoming.add(bytes)),
    end: () => take(incoming.end()),
  };
};

type Presenter = (lines: readonly string[]) => void;

/** One row a line for other programs, indented for people. */
const jsonPresenter =
  ({ write, width }: OutputPage): Presenter =>
  (lines) => {
    const isForPeople = Number.isFinite(width);
    for (const line of lines) {
      const row = isForPeople ? rowOf(line) : undefined;
      write(`${shownAsJson(row === undefined ? line : JSON.stringify(row, null, 2))}\n`);
    }
  };

/** The first rows fix the widths, so that later ones stand below them. */
const tablePresenter = (
  { name, flags }: TrackedCommand,
  { write, width, cut = false, titleStyle }: OutputPage,
): Presenter => {
  const columns = outputColumns(name, flags);
  let widths: number[] | undefined;
  return (lines) => {
    const page = name === 'help' && lines.length === 1 ? helpPageOf(rowOf(lines[0] ?? '') ?? {}) : undefined;
    if (page !== undefined) return write(`${shownAsText(page)}\n`);
    // A line that is not a row is shown whole rather than dropped.
    const rows = lines.map((line) => {
      const row = rowOf(line);
      return row === undefined ? [shownInLine(line)] : columns.map((column) => cellOf(row[column.name]));
    });
    if (widths === undefined) {
      widths = fittingWidths(columns, rows, width, true);
      write(`${titleStyle(renderRows(columns, [columns.map(({ title }) => title)], widths, cut))}\n`);
    }
    write(`${renderRows(columns, rows, widths, cut)}\n`);
  };
};
