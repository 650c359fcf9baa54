import type { Limits } from '../limits.ts';

export const platforms = ['windows', 'macos', 'linux'] as const;
export type Platform = (typeof platforms)[number];

export const isPlatform = (value: string): value is Platform =>
  (platforms as readonly string[]).includes(value);

export type CommandLevel = 'basic' | 'advanced';
export type OutputFormat = 'table' | 'json';

/**
 * `path`, `text`, `commandId` and `commandName` are bound as typed, `integer` as a number, `choice` in the spelling of
 * its definition.
 */
export type ParameterType = 'path' | 'text' | 'integer' | 'commandId' | 'commandName' | 'choice';

export interface ParameterDefinition {
  readonly name: string;
  readonly type: ParameterType;
  /** With {@link dependsOn}: required only where the parameter applies. */
  readonly required: boolean;
  /** Takes the next bare word; without it only `-name value` works. Order in the definition is order on the line. */
  readonly positional: boolean;
  readonly choices?: readonly string[];
  /** Choices that exist on some platforms only. */
  readonly choicesOn?: Readonly<Record<string, readonly Platform[]>>;
  /** The parameter applies only while another one has one of these values, and is a whole number for some of them. */
  readonly dependsOn?: {
    readonly parameter: string;
    readonly appliesTo: readonly string[];
    readonly integerFor?: readonly string[];
  };
  readonly mayBeEmpty?: true;
  /** Characters that are refused anywhere in the value, quoted or not. */
  readonly forbiddenCharacters?: string;
  readonly description: string;
}

export interface FlagDefinition {
  readonly name: string;
  readonly conflictsWith?: string;
  readonly description: string;
}

/** `list` is an array of text, `bytes` a whole number, `time` UTC ISO 8601, `number` may have a fraction. */
export type ColumnType = 'text' | 'integer' | 'number' | 'bytes' | 'time' | 'boolean' | 'list';

export interface ColumnDefinition {
  readonly name: string;
  readonly type: ColumnType;
  /** JSON output has every column, a table only these. */
  readonly inTable: boolean;
  /** In the table as well when this flag is set. */
  readonly inTableWith?: string;
  readonly description: string;
}

export interface CommandDefinition {
  readonly name: string;
  readonly aliases: readonly string[];
  /** One line, for the list of commands. */
  readonly summary: string;
  readonly description: string;
  /** The right that it takes. */
  readonly level: CommandLevel;
  /** `server`: answered from what is recorded. `client`: nothing but the screen changes. */
  readonly runsOn: 'server' | 'device' | 'client';
  readonly platforms: readonly Platform[];
  /** Where Microsoft Defender for Endpoint has the command; the rest of {@link platforms} is this project's addition. */
  readonly defenderPlatforms: readonly Platform[];
  readonly parameters: readonly ParameterDefinition[];
  readonly flags: readonly FlagDefinition[];
  /** Which limit of the tenant ends it. */
  readonly timeLimit: keyof Pick<Limits, 'command' | 'longCommand'>;
  /** The default of that limit. */
  readonly timeLimitSeconds: number;
  /** Members of one result row. Empty: the command prints plain text or nothing, so it has no output format. */
  readonly columns: readonly ColumnDefinition[];
  readonly defaultOutput: OutputFormat;
  readonly examples: readonly string[];
  readonly backgroundable: boolean;
  readonly changesDirectory?: true;
}

export type Catalogue = readonly CommandDefinition[];

/** Seconds, from the limits in force for the session. */
export const timeLimitOf = (definition: CommandDefinition, limits: Limits): number =>
  limits[definition.timeLimit];
