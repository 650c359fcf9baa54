import type { ParameterDefinition } from './definition.ts';
import { isInteger } from './dependence.ts';
import { sameName } from './findCommand.ts';
import { nearestName } from './nearestName.ts';
import { type ParseRefusal, refuse, shown } from './refusal.ts';
import type { Word } from './splitLine.ts';

type Value = { readonly ok: true; readonly value: string | number } | ParseRefusal;

/** Process ids are 32 bits wide on every platform. */
const largestInteger = 4_294_967_295;

const readInteger = (word: Word, { name }: ParameterDefinition): Value => {
  const value = /^[0-9]{1,10}$/.test(word.text) ? Number(word.text) : Number.NaN;
  return value <= largestInteger
    ? { ok: true, value }
    : refuse(
        'PARAMETER_INVALID',
        `${name} is a whole number from 0 to ${largestInteger}, not ${shown(word.text)}.`,
        word.position,
      );
};

const readChoice = (word: Word, { name, choices = [] }: ParameterDefinition): Value => {
  const choice = choices.find((one) => sameName(one, word.text));
  return choice === undefined
    ? refuse(
        'PARAMETER_INVALID',
        `${name} is one of ${choices.join(', ')}, not ${shown(word.text)}.`,
        word.position,
        nearestName(word.text, choices),
      )
    : { ok: true, value: choice };
};

/** The value of a word for a parameter; `before` holds the values of the parameters before it. */
export const readValue = (
  word: Word,
  parameter: ParameterDefinition,
  before: Readonly<Record<string, string | number>>,
): Value => {
  const { name, type, mayBeEmpty, forbiddenCharacters = '' } = parameter;
  if (word.text === '' && mayBeEmpty !== true) {
    return refuse('PARAMETER_INVALID', `${name} is empty.`, word.position);
  }
  const forbidden = Array.from(forbiddenCharacters).find((character) => word.text.includes(character));
  if (forbidden !== undefined) {
    return refuse(
      'PARAMETER_INVALID',
      `${name} may not contain ${forbidden}. The characters ${Array.from(forbiddenCharacters).join(' ')} are refused because a shell could take what follows for another command. Put such text into the script itself.`,
      word.position,
    );
  }
  if (isInteger(parameter, before)) return readInteger(word, parameter);
  if (type === 'choice') return readChoice(word, parameter);
  if (type === 'commandId' && !/^[A-Za-z0-9-]{1,128}$/.test(word.text)) {
    return refuse(
      'PARAMETER_INVALID',
      `${name} is the id of a command, as jobs shows it, not ${shown(word.text)}.`,
      word.position,
    );
  }
  return { ok: true, value: word.text };
};
