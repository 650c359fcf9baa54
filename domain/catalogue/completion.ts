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

export interface Completion {
  /** The stretch of the line to replace, as indexes of UTF-16 units; empty where a new word begins. */
  readonly from: number;
  readonly to: number;
  readonly candidates: readonly Candidate[];
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

/**
 * What may stand at the cursor: commands that may be given here, then parameter and flag names and fixed choices of the
 * command. Nothing within quotes or after `>` or `&`. The text behind the cursor is not looked at.
 */
export const complete = (
  line: string,
  cursor: number,
  context: CommandContext,
  catalogue: Catalogue = wholeCatalogue,
): Completion => {
  const to = Math.min(Math.max(0, Math.trunc(cursor) || 0), line.length);
  const none: Completion = { from: to, to, candidates: [] };
  const split = splitLine(line.slice(0, to));
  if (!split.ok || split.redirect !== undefined || split.backgroundAt !== undefined) return none;

  const last = split.words.at(-1);
  const isOpen = last !== undefined && last.position + last.text.length === to && !last.quoted;
  if (last?.quoted === true && !/[ \t]$/.test(line.slice(0, to))) return none;
  const typed = isOpen ? last.text : '';
  const [name, ...before] = isOpen ? split.words.slice(0, -1) : split.words;

  let offered: readonly Candidate[];
  if (name === undefined) {
    offered = commandNames(catalogue, context);
  } else {
    const definition = findCommand(catalogue, name.text);
    if (definition === undefined) return none;
    const previous = before.at(-1);
    const named = parameterNamed(previous, definition);
    if (isOutputName(previous)) offered = definition.columns.length === 0 ? [] : formats;
    else if (named !== undefined) offered = valuesFor(named, catalogue, context);
    else {
      offered = [
        ...valuesFor(nextPositional(before, definition), catalogue, context),
        ...namesFor(before, definition),
      ];
    }
  }
  const start = foldCase(typed);
  return {
    from: to - typed.length,
    to,
    candidates: offered.filter(({ text }) => foldCase(text).startsWith(start)),
  };
};
