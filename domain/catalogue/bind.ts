import { sortWords } from './arguments.ts';
import type { CommandDefinition, OutputFormat, ParameterDefinition } from './definition.ts';
import { parameterApplies } from './dependence.ts';
import { foldCase } from './findCommand.ts';
import { type ParseRefusal, refuse, shown } from './refusal.ts';
import type { ParsedLine, Word } from './splitLine.ts';
import { readValue } from './value.ts';

/** A command that is complete and well formed; whether it may run is for `admitCommand`. */
export interface BoundCommand {
  /** Never an alias. */
  readonly name: string;
  /** Keys in the order of the definition; absent when not given. */
  readonly parameters: Readonly<Record<string, string | number>>;
  /** In the order of the definition, each once. */
  readonly flags: readonly string[];
  readonly background: boolean;
  readonly output: OutputFormat;
  /** File on the side of the person who typed. */
  readonly redirect?: string;
}

export type BindResult = { readonly ok: true; readonly command: BoundCommand } | ParseRefusal;

const missing = (parameter: ParameterDefinition, definition: CommandDefinition): ParseRefusal =>
  refuse(
    'PARAMETER_MISSING',
    `${definition.name} needs ${parameter.name}: ${parameter.description} See help ${definition.name}.`,
  );

const readParameters = (
  given: ReadonlyMap<string, Word>,
  definition: CommandDefinition,
): { readonly ok: true; readonly values: Record<string, string | number> } | ParseRefusal => {
  const values: Record<string, string | number> = {};
  for (const parameter of definition.parameters) {
    const word = given.get(parameter.name);
    if (!parameterApplies(parameter, values)) {
      if (word === undefined) continue;
      return refuse(
        'PARAMETER_INVALID',
        `${parameter.name} goes only with ${parameter.dependsOn?.parameter} ${parameter.dependsOn?.appliesTo.join(', ')}. See help ${definition.name}.`,
        word.position,
      );
    }
    if (word === undefined) {
      if (parameter.required) return missing(parameter, definition);
      continue;
    }
    const value = readValue(word, parameter, values);
    if (!value.ok) return value;
    values[parameter.name] = value.value;
  }
  return { ok: true, values };
};

const readOutput = (
  word: Word | undefined,
  definition: CommandDefinition,
): { readonly ok: true; readonly output: OutputFormat } | ParseRefusal => {
  if (word === undefined) return { ok: true, output: definition.defaultOutput };
  if (definition.columns.length === 0) {
    return refuse('OUTPUT_INVALID', `${definition.name} has no output format to choose.`, word.position);
  }
  const format = foldCase(word.text);
  return format === 'json' || format === 'table'
    ? { ok: true, output: format }
    : refuse('OUTPUT_INVALID', `${shown(word.text)} is no output format: json or table.`, word.position);
};

/** Fits the words of a line to the definition of its command. */
export const bind = (line: ParsedLine, definition: CommandDefinition): BindResult => {
  const sorted = sortWords(line.words, definition);
  if (!sorted.ok) return sorted;
  const parameters = readParameters(sorted.parameters, definition);
  if (!parameters.ok) return parameters;
  const output = readOutput(sorted.output, definition);
  if (!output.ok) return output;
  if (line.backgroundAt !== undefined && !definition.backgroundable) {
    return refuse(
      'BACKGROUND_INVALID',
      `${definition.name} does not run in the background. Leave out the &.`,
      line.backgroundAt,
    );
  }
  if (line.redirect !== undefined && definition.runsOn === 'client') {
    return refuse(
      'REDIRECT_INVALID',
      `${definition.name} prints nothing to write to a file.`,
      line.redirect.position,
    );
  }
  return {
    ok: true,
    command: {
      name: definition.name,
      parameters: parameters.values,
      flags: sorted.flags,
      background: line.backgroundAt !== undefined,
      output: output.output,
      ...(line.redirect === undefined ? {} : { redirect: line.redirect.text }),
    },
  };
};
