import type { CommandDefinition, Platform } from './definition.ts';
import recorded from './platformRuns.json' with { type: 'json' };

/** One run of `npm run platform-check` on a machine with that system: nothing that names the machine. */
export interface PlatformRun {
  readonly platform: string;
  readonly osVersion: string;
  readonly agentVersion: string;
  /** UTC day. */
  readonly date: string;
  /** `passed`, or the code of the failure, by name of the check; most are commands. */
  readonly results: Readonly<Record<string, string>>;
}

export const platformRuns: readonly PlatformRun[] = recorded;

/** Commands whose work differs between systems: proven on one of them is nothing said about another. */
export const checkedCommands = [
  'cd',
  'connections',
  'dir',
  'drivers',
  'fileinfo',
  'findfile',
  'persistence',
  'processes',
  'registry',
  'scheduledtasks',
  'services',
  'startupfolders',
] as const;

/** Platforms on which no run of a command is recorded: all that its code there was tested with are samples. */
export const samplesOnlyOn = (
  { name, platforms }: Pick<CommandDefinition, 'name' | 'platforms'>,
  runs: readonly PlatformRun[] = platformRuns,
): readonly Platform[] =>
  (checkedCommands as readonly string[]).includes(name)
    ? platforms.filter(
        (platform) => !runs.some((run) => run.platform === platform && run.results[name] === 'passed'),
      )
    : [];
