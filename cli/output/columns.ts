import { columnsOf, tableColumnsOf } from '../../domain/catalogue/index.ts';

/** One column of a result, as the catalogue defines it. */
export interface OutputColumn {
  readonly name: string;
  readonly title: string;
  readonly numeric: boolean;
}

const numericTypes: ReadonlySet<string> = new Set(['integer', 'number', 'bytes']);

/** True when the command's result is rows; everything else is text. */
export const hasRows = (commandName: string): boolean => columnsOf(commandName).length > 0;

/** What a table of the command shows under these flags. */
export const outputColumns = (commandName: string, flags: readonly string[]): readonly OutputColumn[] =>
  tableColumnsOf(commandName, flags).map(({ name, type }) => ({
    name,
    title: name,
    numeric: numericTypes.has(type),
  }));
