import { type CommandContext, CommandFailure } from './command.ts';

/** What the command brings from the library. */
export const requiredLibraryFile = ({
  libraryFile,
}: CommandContext): NonNullable<CommandContext['libraryFile']> => {
  if (libraryFile !== null) return libraryFile;
  throw new CommandFailure(
    'TICKET_MISSING',
    'The command came without the library file that it is about. Try again.',
  );
};
