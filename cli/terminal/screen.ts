import { styleText } from 'node:util';
import { safeJson } from './neutralise.ts';
import { renderTable, type TableColumn } from './table.ts';
import { wrapped } from './wrapped.ts';

type Style = Parameters<typeof styleText>[0];

/** Coloured on a terminal without NO_COLOR, plain everywhere else. */
export const styled = (style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string =>
  stream.isTTY && !process.env.NO_COLOR ? styleText(style, text, { validateStream: false }) : text;

/** Columns of the terminal; without one nothing has to fit. */
export const screenWidth = (): number =>
  process.stdout.isTTY ? Math.max(40, process.stdout.columns ?? 80) : Number.POSITIVE_INFINITY;

export const print = (line: string): void => void process.stdout.write(`${line}\n`);
export const printJson = (value: unknown): void => print(safeJson(value));

/** For people, beside the output: goes to stderr. */
export const notice = (line: string): void => {
  const { isTTY, columns = 80 } = process.stderr;
  process.stderr.write(`${isTTY ? wrapped(line, columns) : line}\n`);
};

export const printTable = (
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  whenEmpty: string,
  { cut = false }: { readonly cut?: boolean } = {},
): void => {
  if (rows.length === 0) return notice(whenEmpty);
  print(renderTable(columns, rows, screenWidth(), (title) => styled('bold', title), cut));
};
