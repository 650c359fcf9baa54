import {
  type Admission,
  admitDefinition,
  type CommandContext,
  namesOf,
  type Right,
  rightOf,
} from './admission.ts';
import type {
  Catalogue,
  ColumnDefinition,
  CommandDefinition,
  CommandLevel,
  FlagDefinition,
  ParameterDefinition,
  Platform,
} from './definition.ts';
import { findCommand } from './findCommand.ts';
import { unknownCommand } from './parser.ts';
import { samplesOnlyOn } from './platformProof.ts';
import type { ParseRefusal } from './refusal.ts';

/** A row of `help`; its members are the columns of that command. */
export interface HelpRow {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly platforms: readonly Platform[];
  readonly level: CommandLevel;
}

/** What `help <command>` answers; it is a {@link HelpRow} too, so one table serves both. */
export interface HelpPage extends HelpRow {
  readonly syntax: string;
  readonly description: string;
  readonly parameters: readonly ParameterDefinition[];
  readonly flags: readonly FlagDefinition[];
  readonly defenderPlatforms: readonly Platform[];
  /** Platforms on which only this project has the command. */
  readonly ownPlatforms: readonly Platform[];
  /** Platforms on which no run of it is recorded. */
  readonly samplesOnlyPlatforms: readonly Platform[];
  readonly right: Right;
  /** The default; a tenant may have set another limit. */
  readonly timeLimitSeconds: number;
  readonly runsOn: CommandDefinition['runsOn'];
  readonly backgroundable: boolean;
  readonly columns: readonly ColumnDefinition[];
  readonly defaultOutput: CommandDefinition['defaultOutput'];
  readonly examples: readonly string[];
  /** Whether it may be given in the session that asks; null without a session. */
  readonly admission: Admission | null;
}

const rowOf = ({ name, aliases, summary, platforms, level }: CommandDefinition): HelpRow => ({
  name,
  aliases,
  summary,
  platforms,
  level,
});

/** The commands that this device, its agent and these rights allow. */
export const helpRows = (catalogue: Catalogue, context: CommandContext): readonly HelpRow[] =>
  catalogue.filter((definition) => admitDefinition(definition, context).ok).map(rowOf);

const parameterSyntax = ({ name, positional, required, choices, dependsOn }: ParameterDefinition): string => {
  const value = choices === undefined ? `<${name}>` : choices.join('|');
  const whole = positional ? value : `-${name} <${name}>`;
  return required && dependsOn === undefined ? whole : `[${whole}]`;
};

/** One line: `[…]` may be left out, `<…>` stands for a value, `|` separates choices. */
export const syntaxOf = (definition: CommandDefinition): string =>
  [
    definition.name,
    ...definition.parameters.map(parameterSyntax),
    ...definition.flags.map(({ name }) => `[-${name}]`),
    ...(definition.columns.length === 0 ? [] : ['[-output json|table]']),
    ...(definition.runsOn === 'client' ? [] : ['[> <file>]']),
    ...(definition.backgroundable ? ['[&]'] : []),
  ].join(' ');

/** Everything about one command, by name or alias; a refusal with the nearest name for an unknown one. */
export const helpFor = (
  name: string,
  catalogue: Catalogue,
  context?: CommandContext,
): { readonly ok: true; readonly page: HelpPage } | ParseRefusal => {
  const definition = findCommand(catalogue, name);
  if (definition === undefined) return unknownCommand(name, catalogue);
  const { platforms, defenderPlatforms, level } = definition;
  const { description, parameters, flags, timeLimitSeconds, runsOn, backgroundable } = definition;
  const { columns, defaultOutput, examples } = definition;
  return {
    ok: true,
    page: {
      ...rowOf(definition),
      syntax: syntaxOf(definition),
      description,
      parameters,
      flags,
      defenderPlatforms,
      ownPlatforms: platforms.filter((platform) => !defenderPlatforms.includes(platform)),
      samplesOnlyPlatforms: samplesOnlyOn(definition),
      right: rightOf(level),
      timeLimitSeconds,
      runsOn,
      backgroundable,
      columns,
      defaultOutput,
      examples,
      admission: context === undefined ? null : admitDefinition(definition, context),
    },
  };
};

const section = (title: string, entries: readonly (readonly [string, string])[]): readonly string[] => {
  if (entries.length === 0) return [];
  const width = Math.max(...entries.map(([term]) => term.length));
  return ['', title, ...entries.map(([term, text]) => `  ${term.padEnd(width)}  ${text}`.trimEnd())];
};

const parameterText = ({
  required,
  dependsOn,
  choices,
  choicesOn = {},
  description,
}: ParameterDefinition): string => {
  const choice = (value: string): string => {
    const only = choicesOn[value];
    return only === undefined ? value : `${value} (${namesOf(only)})`;
  };
  return [
    description,
    ...(choices === undefined ? [] : [`One of ${choices.map(choice).join(', ')}.`]),
    ...(dependsOn === undefined
      ? []
      : [`Only with ${dependsOn.parameter} ${dependsOn.appliesTo.join(', ')}.`]),
    required ? 'Required.' : 'May be left out.',
  ].join(' ');
};

const platformLine = ({ platforms, defenderPlatforms, ownPlatforms }: HelpPage): string => {
  if (ownPlatforms.length === 0) return `${namesOf(platforms)}, as in Defender`;
  return `${namesOf(platforms)}. Defender has it on ${namesOf(defenderPlatforms)}; ${namesOf(ownPlatforms)} is our addition`;
};

const proofLine = ({ samplesOnlyPlatforms }: HelpPage): readonly (readonly [string, string])[] =>
  samplesOnlyPlatforms.length === 0
    ? []
    : [['Samples only', `${namesOf(samplesOnlyPlatforms)}: no run there is recorded yet`]];

/** The page as lines of plain text. */
export const helpText = (page: HelpPage): readonly string[] => [
  page.syntax,
  '',
  page.summary,
  page.description,
  ...(page.admission === null || page.admission.ok
    ? []
    : ['', `Not available here: ${page.admission.message}`]),
  ...section(
    'Parameters',
    page.parameters.map((parameter) => [`-${parameter.name}`, parameterText(parameter)] as const),
  ),
  ...section(
    'Flags',
    page.flags.map(({ name, description }) => [`-${name}`, description] as const),
  ),
  ...section('About', [
    ...(page.aliases.length === 0 ? [] : [['Aliases', page.aliases.join(', ')] as const]),
    ['Platforms', platformLine(page)],
    ...proofLine(page),
    ['Right', `LiveResponse.${page.right}`],
    ...(page.runsOn === 'device'
      ? [['Time limit', `${page.timeLimitSeconds / 60} minutes by default`] as const]
      : []),
  ]),
  ...section(
    `Columns (${page.defaultOutput} by default; * in JSON only)`,
    page.columns.map(
      ({ name, inTable, inTableWith, description }) =>
        [
          inTable ? name : `${name}*`,
          inTableWith === undefined ? description : `${description} In the table with -${inTableWith}.`,
        ] as const,
    ),
  ),
  ...section(
    'Examples',
    page.examples.map((example) => [example, ''] as const),
  ),
];
