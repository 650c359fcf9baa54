import { defaultLimits } from '../../limits.ts';
import {
  type ColumnDefinition,
  type CommandDefinition,
  type FlagDefinition,
  type ParameterDefinition,
  type ParameterType,
  platforms,
} from '../definition.ts';

type Defaulted =
  | 'aliases'
  | 'platforms'
  | 'defenderPlatforms'
  | 'parameters'
  | 'flags'
  | 'timeLimit'
  | 'columns'
  | 'defaultOutput'
  | 'backgroundable';

type Draft = Omit<CommandDefinition, Defaulted | 'timeLimitSeconds'> &
  Partial<Pick<CommandDefinition, Defaulted>>;

/** Fills in what most commands share: every platform, short time limit, table, background if a device does the work. */
export const define = (draft: Draft): CommandDefinition => {
  const timeLimit = draft.timeLimit ?? 'command';
  return {
    aliases: [],
    platforms,
    defenderPlatforms: platforms,
    parameters: [],
    flags: [],
    columns: [],
    defaultOutput: 'table',
    backgroundable: draft.runsOn === 'device',
    ...draft,
    timeLimit,
    timeLimitSeconds: defaultLimits[timeLimit],
  };
};

/** A parameter that is given by its place and must be given, unless said otherwise. */
export const parameter = (
  name: string,
  type: ParameterType,
  description: string,
  more: Partial<Omit<ParameterDefinition, 'name' | 'type' | 'description'>> = {},
): ParameterDefinition => ({ name, type, required: true, positional: true, description, ...more });

export const flag = (name: string, description: string, conflictsWith?: string): FlagDefinition =>
  conflictsWith === undefined ? { name, description } : { name, conflictsWith, description };

export const column = (
  name: string,
  type: ColumnDefinition['type'],
  description: string,
): ColumnDefinition => ({
  name,
  type,
  inTable: true,
  description,
});

/** A column that only JSON output has, or a table under this flag. */
export const detail = (
  name: string,
  type: ColumnDefinition['type'],
  description: string,
  inTableWith?: string,
): ColumnDefinition => ({
  name,
  type,
  inTable: false,
  ...(inTableWith === undefined ? {} : { inTableWith }),
  description,
});
