import { admitDefinition, type CommandContext } from './admission.ts';
import { isName } from './arguments.ts';
import { catalogue as wholeCatalogue } from './commands/index.ts';
import type { Catalogue, CommandDefinition, ParameterDefinition } from './definition.ts';
import { findCommand, foldCase, sameName } from './findCommand.ts';
import { splitLine, type Word } from './splitLine.ts';

export interface Candidate {
  /** What replaces the word. */
  readonly text: string;
  readonly kind: 'command' | 'parameter' | 'flag' | 'choice' | 'output';
  readonly description: string;
}

/** The value that is being typed: what it is for, so that a client that knows such values can offer some. */
export interface TypedValue {
  /** Name of the command, not the alias that was typed. */
  readonly command: string;
  readonly parameter: ParameterDefinition;
  /** What was typed of it until the cursor, without quotes. */
  readonly text: string;
  /** Where it begins in the line, the quote included. */
  readonly from: number;
  /** The quote that is open. */
  readonly quote: '"' | "'" | undefined;
}

export interface Completion {
  /** The stretch of the line to replace, as indexes of UTF-16 units; empty where a new word begins. */
  readonly from: number;
  readonly to: number;
  readonly candidates: readonly Candidate[];
  readonly value?: TypedValue;
}

const commandNames = (catalogue: Catalogue, context: CommandContext): readonly Candidate[] =>
  catalogue
    .filter((definition) => admitDefinition(definition, context).ok)
    .flatMap(({ name, aliases, summary }) =>
      [name, ...aliases].map((text) => ({ text, kind: 'command' as const, description: summary })),
    );

const formats: readonly Candidate[] = [
  { text: 'json', kind: 'output', description: 'Every column, as JSON.' },
  { text: 'table', kind: 'output', description: 'The main columns, as a table.' },
];

const parameterNamed = (
  word: Word | undefined,
  definition: CommandDefinition,
): ParameterDefinition | undefined =>
  word !== undefined && isName(word)
    ? definition.parameters.find(({ name }) => sameName(`-${name}`, word.text))
    : undefined;

const isOutputName = (word: Word | undefined): boolean =>
  word !== undefined && isName(word) && sameName(word.text, '-output');

/** The positional parameter whose turn it is after these words. */
const nextPositional = (
  before: readonly Word[],
  definition: CommandDefinition,
): ParameterDefinition | undefined => {
  const named = new Set(before.map((word) => parameterNamed(word, definition)?.name));
  const values = before.filter((word, index) => {
    const previous = before[index - 1];
    return !isName(word) && parameterNamed(previous, definition) === undefined && !isOutputName(previous);
  });
  return definition.parameters.filter(({ name, positional }) => positional && !named.has(name))[
    values.length
  ];
};

const namesFor = (before: readonly Word[], definition: CommandDefinition): readonly Candidate[] => {
  const isFree = ({ text }: Candidate): boolean =>
    !before.some((word) => isName(word) && sameName(word.text, text));
  return [
    ...definition.parameters.map(({ name, description }): Candidate => ({
      text: `-${name}`,
      kind: 'parameter',
      description,
    })),
    ...definition.flags
      .filter(
        ({ conflictsWith }) => !before.some((word) => isName(word) && word.text === `-${conflictsWith}`),
      )
      .map(({ name, description }): Candidate => ({ text: `-${name}`, kind: 'flag', description })),
    ...(definition.columns.length === 0
      ? []
      : [{ text: '-output', kind: 'parameter' as const, description: 'json or table.' }]),
  ].filter(isFree);
};

const valuesFor = (
  parameter: ParameterDefinition | undefined,
  catalogue: Catalogue,
  context: CommandContext,
): readonly Candidate[] => {
  if (parameter?.type === 'commandName') return commandNames(catalogue, context);
  const { choices = [], choicesOn = {}, description = '' } = parameter ?? {};
  return choices
    .filter((choice) => choicesOn[choice]?.includes(context.platform) ?? true)
    .map((text) => ({ text, kind: 'choice', description }));
};

/** A word that is being typed, and what stands before it. */
interface OpenWord {
  readonly before: readonly Word[];
  readonly text: string;
  readonly from: number;
  readonly quote: '"' | "'" | undefined;
}

/** Undefined where no word can be typed: after `&`, in a redirection, behind a closed quote, in a line that is no line. */
const openWord = (line: string): OpenWord | undefined => {
  const split = splitLine(line);
  if (!split.ok) {
    if (split.code !== 'QUOTE_UNCLOSED' || split.position === undefined) return undefined;
    const from = split.position;
    const before = splitLine(line.slice(0, from));
    if (!before.ok || before.redirect !== undefined || before.backgroundAt !== undefined) return undefined;
    const quote = line[from] as '"' | "'";
    return { before: before.words, text: line.slice(from + 1).replaceAll(quote + quote, quote), from, quote };
  }
  if (split.redirect !== undefined || split.backgroundAt !== undefined) return undefined;
  const none = { before: split.words, text: '', from: line.length, quote: undefined };
  const last = split.words.at(-1);
  if (last === undefined || /[ \t]$/.test(line)) return none;
  if (last.quoted) return undefined;
  return { before: split.words.slice(0, -1), text: last.text, from: last.position, quote: undefined };
};

const offeredFor = (
  { before: [name, ...before], text, quote }: OpenWord,
  catalogue: Catalogue,
  context: CommandContext,
): {
  readonly candidates: readonly Candidate[];
  readonly command?: string;
  readonly parameter?: ParameterDefinition;
} => {
  if (name === undefined) return { candidates: commandNames(catalogue, context) };
  const definition = findCommand(catalogue, name.text);
  if (definition === undefined) return { candidates: [] };
  const previous = before.at(-1);
  if (isOutputName(previous)) return { candidates: definition.columns.length === 0 ? [] : formats };
  const named = parameterNamed(previous, definition);
  const parameter = named ?? nextPositional(before, definition);
  const isValue = named !== undefined || quote !== undefined || !text.startsWith('-');
  return {
    candidates: [
      ...valuesFor(parameter, catalogue, context),
      ...(named === undefined ? namesFor(before, definition) : []),
    ],
    command: definition.name,
    ...(parameter !== undefined && isValue ? { parameter } : {}),
  };
};

/**
 * What may stand at the cursor: commands that may be given here, then parameter and flag names and fixed choices of the
 * command; and, where a value can be typed, which one it is. No candidates within quotes, nothing after `>` or `&`. The
 * text behind the cursor is not looked at.
 */
export const complete = (
  line: string,
  cursor: number,
  context: CommandContext,
  catalogue: Catalogue = wholeCatalogue,
): Completion => {
  const to = Math.min(Math.max(0, Math.trunc(cursor) || 0), line.length);
  const word = openWord(line.slice(0, to));
  if (word === undefined) return { from: to, to, candidates: [] };
  const { text, from, quote } = word;
  const { candidates, command, parameter } = offeredFor(word, catalogue, context);
  const start = foldCase(text);
  return {
    from,
    to,
    candidates: quote === undefined ? candidates.filter((one) => foldCase(one.text).startsWith(start)) : [],
    ...(command === undefined || parameter === undefined
      ? {}
      : { value: { command, parameter, text, from, quote } }),
  };
};
