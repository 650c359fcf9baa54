import type { CommandDefinition, ParameterDefinition } from './definition.ts';
import { isInteger, parameterApplies } from './dependence.ts';
import { foldCase, sameName } from './findCommand.ts';
import { nearestName } from './nearestName.ts';
import { type ParseRefusal, refuse, shown } from './refusal.ts';
import type { Word } from './splitLine.ts';

export interface SortedWords {
  readonly ok: true;
  readonly parameters: ReadonlyMap<string, Word>;
  readonly flags: readonly string[];
  readonly output: Word | undefined;
}

/** A bare word that begins with `-` names a parameter or a flag; anything else is a value. */
export const isName = ({ quoted, text }: Word): boolean => !quoted && text.startsWith('-');

const unknownName = (word: Word, next: Word | undefined, definition: CommandDefinition): ParseRefusal => {
  const names = [...definition.parameters, ...definition.flags].map(({ name }) => name);
  const nearest = nearestName(word.text.replace(/^-+/, ''), [...names, 'output']);
  const hint = `See help ${definition.name}, and put a value that begins with - in quotes.`;
  // Whether a flag or a parameter was meant can only be guessed from what follows.
  const hasValue = next !== undefined && !isName(next);
  return refuse(
    hasValue ? 'UNKNOWN_PARAMETER' : 'UNKNOWN_FLAG',
    `${definition.name} has no ${hasValue ? 'parameter' : 'flag'} ${shown(word.text)}. ${hint}`,
    word.position,
    nearest === undefined ? undefined : `-${nearest}`,
  );
};

/** True when a bare `json` or `table` at the end cannot be the value of the parameter whose turn it is. */
const cannotTake = (
  word: Word,
  slot: ParameterDefinition | undefined,
  given: ReadonlyMap<string, Word>,
): boolean => {
  if (slot === undefined) return true;
  const before = Object.fromEntries([...given].map(([name, { text }]) => [name, foldCase(text)]));
  if (!parameterApplies(slot, before) || isInteger(slot, before)) return true;
  return slot.type === 'choice' && !(slot.choices ?? []).some((choice) => sameName(choice, word.text));
};

const isFormat = ({ quoted, text }: Word): boolean =>
  !quoted && (sameName(text, 'json') || sameName(text, 'table'));

/** Tells parameters, flags and output format apart. Values are not looked at, except to see whose turn it is. */
export const sortWords = (
  words: readonly Word[],
  definition: CommandDefinition,
): SortedWords | ParseRefusal => {
  const parameters = new Map<string, Word>();
  const flags = new Set<string>();
  const values: Word[] = [];
  let output: Word | undefined;

  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] as Word;
    if (!isName(word)) {
      values.push(word);
      continue;
    }
    const typed = word.text.slice(1);
    const next = words[index + 1];
    const flag = definition.flags.find(({ name }) => sameName(name, typed));
    if (flag !== undefined) {
      if (flag.conflictsWith !== undefined && flags.has(flag.conflictsWith)) {
        return refuse(
          'PARAMETER_INVALID',
          `-${flag.name} and -${flag.conflictsWith} exclude each other.`,
          word.position,
        );
      }
      flags.add(flag.name);
      continue;
    }
    const isOutput = sameName(typed, 'output');
    const name = isOutput ? 'output' : definition.parameters.find((one) => sameName(one.name, typed))?.name;
    if (name === undefined) return unknownName(word, next, definition);
    if (isOutput ? output !== undefined : parameters.has(name)) {
      return refuse('PARAMETER_TWICE', `-${name} is given twice.`, word.position);
    }
    if (next === undefined || isName(next)) {
      return isOutput
        ? refuse('OUTPUT_INVALID', '-output needs json or table after it.', word.position)
        : refuse(
            'PARAMETER_MISSING',
            `-${name} needs a value after it. Put a value that begins with - in quotes.`,
            word.position,
          );
    }
    if (isOutput) output = next;
    else parameters.set(name, next);
    index += 1;
  }

  const positional = definition.parameters.filter((one) => one.positional);
  const slots = positional.filter(({ name }) => !parameters.has(name));
  for (const [index, word] of values.entries()) {
    const slot = slots[index];
    const isLast = index === values.length - 1;
    if (isLast && isFormat(word) && definition.columns.length > 0 && cannotTake(word, slot, parameters)) {
      if (output !== undefined) {
        return refuse('PARAMETER_TWICE', 'The output format is given twice.', word.position);
      }
      output = word;
    } else if (slot !== undefined) {
      parameters.set(slot.name, word);
    } else if (index < positional.length) {
      return refuse(
        'PARAMETER_TWICE',
        `${shown(word.text)} stands where a parameter goes that -name gave already. See help ${definition.name}.`,
        word.position,
      );
    } else {
      return refuse(
        'TOO_MANY_PARAMETERS',
        `${definition.name} does not know what to do with ${shown(word.text)}. Put a value that contains spaces in quotes.`,
        word.position,
      );
    }
  }
  return {
    ok: true,
    parameters,
    flags: definition.flags.map(({ name }) => name).filter((name) => flags.has(name)),
    output,
  };
};
