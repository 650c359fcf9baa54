export { type Admission, admitCommand, type CommandContext, type Right } from './admission.ts';
export { type BindResult, type BoundCommand } from './bind.ts';
export { catalogue, columnsOf, tableColumnsOf } from './commands/index.ts';
export { type Candidate, type Completion, complete, type TypedValue } from './completion.ts';
export {
  type Catalogue,
  type ColumnDefinition,
  type ColumnType,
  type CommandDefinition,
  type CommandLevel,
  type FlagDefinition,
  isPlatform,
  type OutputFormat,
  type ParameterDefinition,
  type ParameterType,
  type Platform,
  platforms,
  timeLimitOf,
} from './definition.ts';
export { findCommand } from './findCommand.ts';
export { formatCommand, quoteValue } from './format.ts';
export { checkedCommands, type PlatformRun, platformRuns, samplesOnlyOn } from './platformProof.ts';
export { type HelpPage, type HelpRow, helpFor, helpRows, helpText } from './help.ts';
export { fileNameOf, keptNameOf, keptOutputId } from './keptOutput.ts';
export { parseCommand, parseLine } from './parser.ts';
export type { ParseRefusal, RefusalCode } from './refusal.ts';
export type { ParsedLine, Word } from './splitLine.ts';
export { type ScriptArguments, splitArguments } from './scriptArguments.ts';
export { startsTracing } from './tracing.ts';
