import type { Catalogue, CommandDefinition } from './definition.ts';

/**
 * Folds A–Z only: the full Unicode mapping would let the Kelvin sign pass for a k, so that two lines which look the same
 * could mean different things.
 */
export const foldCase = (word: string): string => word.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

export const sameName = (one: string, other: string): boolean => foldCase(one) === foldCase(other);

/** By name or alias, in any case. */
export const findCommand = (catalogue: Catalogue, word: string): CommandDefinition | undefined =>
  catalogue.find((definition) =>
    [definition.name, ...definition.aliases].some((name) => sameName(name, word)),
  );
