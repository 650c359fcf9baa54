import { fixedLimits } from '../limits.ts';
import { type BindResult, bind } from './bind.ts';
import type { Catalogue } from './definition.ts';
import { findCommand } from './findCommand.ts';
import { firstForbidden, utf8Length } from './lineText.ts';
import { nearestName } from './nearestName.ts';
import { type ParseRefusal, refuse, shown } from './refusal.ts';
import { type ParsedLine, splitLine } from './splitLine.ts';

/** Checks the text of a line and splits it; refusals are values, it never throws. */
export const parseLine = (line: string): ParsedLine | ParseRefusal => {
  const limit = fixedLimits.lineBytes;
  // No text has fewer bytes than UTF-16 units, so a huge line is refused without being read.
  if (line.length > limit || utf8Length(line) > limit) {
    return refuse(
      'LINE_TOO_LONG',
      `A line may have ${limit} bytes in UTF-8. Put long input into a library script.`,
    );
  }
  const forbidden = firstForbidden(line);
  if (forbidden !== -1) {
    return refuse(
      'LINE_NOT_TEXT',
      'The line contains a control character or half of a surrogate pair. Remove it.',
      forbidden,
    );
  }
  const split = splitLine(line);
  if (!split.ok) return split;
  const [name, ...words] = split.words;
  if (name === undefined) return refuse('LINE_EMPTY', 'There is no command on the line. help lists them.');
  return { ...split, name, words };
};

/** Reads a line as a command of the catalogue; refusals are values, it never throws. */
export const parseCommand = (line: string, catalogue: Catalogue): BindResult => {
  const parsed = parseLine(line);
  if (!parsed.ok) return parsed;
  const definition = findCommand(catalogue, parsed.name.text);
  return definition === undefined
    ? unknownCommand(parsed.name.text, catalogue, parsed.name.position)
    : bind(parsed, definition);
};

export const unknownCommand = (word: string, catalogue: Catalogue, position?: number): ParseRefusal =>
  refuse(
    'UNKNOWN_COMMAND',
    `There is no command ${shown(word)}. help lists the commands.`,
    position,
    nearestName(
      word,
      catalogue.flatMap(({ name, aliases }) => [name, ...aliases]),
    ),
  );
