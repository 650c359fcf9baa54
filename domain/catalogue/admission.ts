import type { BoundCommand } from './bind.ts';
import { catalogue as wholeCatalogue } from './commands/index.ts';
import type { Catalogue, CommandDefinition, CommandLevel, Platform } from './definition.ts';
import { findCommand } from './findCommand.ts';

export type Right = 'Basic' | 'Advanced';

export interface CommandContext {
  readonly platform: Platform;
  /** Names of the commands that the agent announced. */
  readonly capabilities: readonly string[];
  readonly rights: readonly Right[];
}

export type Admission =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly code: 'NOT_ON_PLATFORM' | 'NOT_SUPPORTED_BY_AGENT' | 'RIGHT_MISSING';
      readonly message: string;
    };

const platformNames: Readonly<Record<Platform, string>> = {
  windows: 'Windows',
  macos: 'macOS',
  linux: 'Linux',
};

export const namesOf = (some: readonly Platform[]): string =>
  some.map((platform) => platformNames[platform]).join(', ');

export const rightOf = (level: CommandLevel): Right => (level === 'basic' ? 'Basic' : 'Advanced');

const hasRight = (level: CommandLevel, rights: readonly Right[]): boolean =>
  rights.includes('Advanced') || (level === 'basic' && rights.includes('Basic'));

/** Whether a command may be given at all, whatever its parameters. */
export const admitDefinition = (definition: CommandDefinition, context: CommandContext): Admission => {
  const { name, platforms, runsOn, level } = definition;
  if (!platforms.includes(context.platform)) {
    return {
      ok: false,
      code: 'NOT_ON_PLATFORM',
      message: `${name} does not exist on ${namesOf([context.platform])}, only on ${namesOf(platforms)}.`,
    };
  }
  if (runsOn === 'device' && !context.capabilities.includes(name)) {
    return {
      ok: false,
      code: 'NOT_SUPPORTED_BY_AGENT',
      message: `${name} is not supported by this agent version. Update the agent on the device.`,
    };
  }
  if (!hasRight(level, context.rights)) {
    return {
      ok: false,
      code: 'RIGHT_MISSING',
      message: `${name} takes the right LiveResponse.${rightOf(level)}, which you do not have. Ask an administrator for it.`,
    };
  }
  return { ok: true };
};

/** Whether this command may run on this device for this person. */
export const admitCommand = (
  command: BoundCommand,
  context: CommandContext,
  catalogue: Catalogue = wholeCatalogue,
): Admission => {
  const definition = findCommand(catalogue, command.name);
  if (definition === undefined) {
    return {
      ok: false,
      code: 'NOT_SUPPORTED_BY_AGENT',
      message: `${command.name} is not in the catalogue, so it is not supported by this agent version.`,
    };
  }
  for (const { name, choicesOn } of definition.parameters) {
    const value = command.parameters[name];
    const allowed = typeof value === 'string' ? choicesOn?.[value] : undefined;
    if (allowed !== undefined && !allowed.includes(context.platform)) {
      return {
        ok: false,
        code: 'NOT_ON_PLATFORM',
        message: `${definition.name} ${value} does not exist on ${namesOf([context.platform])}, only on ${namesOf(allowed)}.`,
      };
    }
  }
  return admitDefinition(definition, context);
};
