import { expect } from 'vitest';
import { columnsOf } from '../../../domain/catalogue/index.ts';
import type { CommandContext, CommandOutcome, Row } from '../../commands/command.ts';
import { commandNamed } from '../../commands/index.ts';

/** What a command is given, of which a test names only what it is about. */
export const contextWith = (context: Partial<CommandContext>): CommandContext => ({
  commandId: 'c',
  sessionId: 's',
  user: '',
  directory: '/',
  parameters: {},
  flags: new Set(),
  limits: { collectedFile: 1_000_000, fileinfoFile: 1_000_000 },
  collected: null,
  libraryFile: null,
  stateDirectory: '/nowhere',
  scriptStreams: null,
  ...context,
});

/** Runs a command here, and checks that its rows have the columns of the catalogue. */
export const runCommand = async (
  name: string,
  context: Partial<CommandContext> = {},
): Promise<{ rows: Row[]; outcome: CommandOutcome }> => {
  const command = commandNamed(name);
  if (command === undefined) throw new Error(`no command ${name}`);
  const generator = command.run(contextWith(context));
  const rows: Row[] = [];
  for (;;) {
    const next = await generator.next();
    if (next.done === true) return { rows, outcome: next.value };
    expect(Object.keys(next.value)).toEqual(columnsOf(name).map((column) => column.name));
    rows.push(next.value);
  }
};
