import { catalogue, helpFor, helpText } from '../../domain/catalogue/index.ts';

/**
 * The page that `help <command>` is about, as text: its row says more than a table of rows can. Undefined for a row of the
 * list of commands, and for a command that only the server knows.
 */
export const helpPageOf = (row: Readonly<Record<string, unknown>>): string | undefined => {
  if (typeof row.syntax !== 'string' || typeof row.name !== 'string') return undefined;
  const help = helpFor(row.name, catalogue);
  return help.ok ? helpText(help.page).join('\n') : undefined;
};
