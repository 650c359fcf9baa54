import { parseLine } from './parser.ts';

/** What a line calls the file after its `>`; undefined for a line that keeps no output. */
export const keptNameOf = (line: string): string | undefined => {
  const parsed = parseLine(line);
  return parsed.ok ? parsed.redirect?.text : undefined;
};

/** The id of a command's output among the files of its session. What the command collects has the command's own id. */
export const keptOutputId = (commandId: string): string => `${commandId}-output`;

/** The last part of a path as people of any platform type it. */
export const fileNameOf = (path: string): string =>
  path.split(/[\\/]/).findLast((part) => part !== '') ?? 'output';
