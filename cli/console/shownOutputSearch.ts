import { shownInLine } from '../terminal/neutralise.ts';
import { styled } from '../terminal/screen.ts';
import type { ShownOutput } from './shownOutput.ts';

/** More would push out of sight what is looked for. */
const mostShown = 500;

/** The text of a line that searches: `/text`. */
export const searchedText = (line: string): string | undefined =>
  line.startsWith('/') && line.length > 1 ? line.slice(1) : undefined;

/** What a search in the output found, grouped by command, ready to show. */
export const searchReport = (text: string, output: ShownOutput): string => {
  const found = output.find(text);
  if (found.length === 0) return `Nothing shown in this session contains "${shownInLine(text)}".\n`;
  const lines: string[] = [];
  let command: string | undefined;
  for (const one of found.slice(-mostShown)) {
    if (one.command !== command) lines.push(styled('bold', shownInLine(one.command)));
    command = one.command;
    lines.push(`${String(one.number).padStart(6)}  ${marked(one.text, text)}`);
  }
  const before = found.length > mostShown ? `The last ${mostShown} of ${found.length} lines:\n` : '';
  return `${before}${lines.join('\n')}\n`;
};

const marked = (line: string, text: string): string => {
  const at = (text === text.toLowerCase() ? line.toLowerCase() : line).indexOf(text);
  // Lower case may be longer than what it was made from; then the mark would stand elsewhere.
  if (at === -1 || line.toLowerCase().length !== line.length) return line;
  const end = at + text.length;
  return `${line.slice(0, at)}${styled('inverse', line.slice(at, end))}${line.slice(end)}`;
};
