import { DomainError } from '../domainError.ts';
import type { BoundCommand } from './bind.ts';
import { catalogue as wholeCatalogue } from './commands/index.ts';
import type { Catalogue } from './definition.ts';
import { findCommand } from './findCommand.ts';

const countOf = (text: string, character: string): number => text.split(character).length - 1;

/** A value as it is typed: in quotes when it needs them. */
export const quoteValue = (text: string): string => {
  const isPlain = /^[^\s"&>'-][^\s"&>]*$/u.test(text);
  if (isPlain) return text;
  const mark = countOf(text, '"') > countOf(text, "'") ? "'" : '"';
  return `${mark}${text.replaceAll(mark, mark + mark)}${mark}`;
};

/**
 * The canonical line of a command: parsing it gives the same command again. It may be a few bytes longer than what was
 * typed, since it has no aliases and always spells out `-output`.
 *
 * @throws DomainError `UNKNOWN_COMMAND` for a command that the catalogue does not have.
 */
export const formatCommand = (command: BoundCommand, catalogue: Catalogue = wholeCatalogue): string => {
  const definition = findCommand(catalogue, command.name);
  if (definition === undefined) {
    throw new DomainError('UNKNOWN_COMMAND', `There is no command '${command.name}' to write down.`);
  }
  const parts = [definition.name];
  let inOrder = true;
  for (const { name, positional } of definition.parameters) {
    const value = command.parameters[name];
    if (value === undefined) {
      // From here on places would shift, so the rest goes by name.
      if (positional) inOrder = false;
      continue;
    }
    if (!positional || !inOrder) parts.push(`-${name}`);
    parts.push(quoteValue(String(value)));
  }
  parts.push(...command.flags.map((flag) => `-${flag}`));
  if (command.output !== definition.defaultOutput) parts.push('-output', command.output);
  if (command.redirect !== undefined) parts.push('>', quoteValue(command.redirect));
  if (command.background) parts.push('&');
  return parts.join(' ');
};
