import Table from 'cli-table3';
import { displayWidth } from './displayWidth.ts';

export interface TableColumn {
  readonly title: string;
  /** Numbers stand on the right. */
  readonly numeric?: boolean;
}

const gap = 2;
const narrowest = 6;

/**
 * Widths that fit into `available` columns of the terminal: the widest ones give way first. With `roomy`, what is left
 * over goes to the text columns, because rows that are still to come may be longer.
 */
export const fittingWidths = (
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  available: number,
  roomy: boolean,
): number[] => {
  const widths = columns.map((column, index) =>
    Math.max(displayWidth(column.title), ...rows.map((row) => displayWidth(row[index] ?? '')), 1),
  );
  const room = available - gap * (columns.length - 1);
  const total = () => widths.reduce((sum, width) => sum + width, 0);
  while (total() > room) {
    const widest = Math.max(...widths);
    if (widest <= narrowest) break;
    widths[widths.indexOf(widest)] = widest - 1;
  }
  const growing = columns.flatMap((column, index) => (column.numeric ? [] : [index]));
  if (roomy && Number.isFinite(available) && growing.length > 0) {
    const share = Math.max(0, Math.floor((room - total()) / growing.length));
    for (const index of growing) widths[index] = (widths[index] ?? 0) + share;
  }
  return widths;
};

/** Lines of a table without borders; long cells are wrapped, or cut when that is asked for. Cells must be safe to show. */
export const renderRows = (
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  widths: readonly number[],
  cut = false,
): string => {
  const table = new Table({
    chars: noBorders,
    style: { 'padding-left': 0, 'padding-right': gap, head: [], border: [], compact: true },
    colWidths: widths.map((width) => width + gap),
    colAligns: columns.map(({ numeric }) => (numeric ? 'right' : 'left')),
    wordWrap: !cut,
    wrapOnWordBoundary: false,
  });
  for (const row of rows) table.push(columns.map((_, index) => row[index] ?? ''));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
};

/** A whole table with its titles. */
export const renderTable = (
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  available: number,
  titleStyle: (text: string) => string,
  cut = false,
): string => {
  const widths = fittingWidths(columns, rows, available, false);
  const title = titleStyle(renderRows(columns, [columns.map((column) => column.title)], widths, cut));
  return rows.length === 0 ? title : `${title}\n${renderRows(columns, rows, widths, cut)}`;
};

const noBorders = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};
