import { catalogue, parseCommand } from '../../domain/catalogue/index.ts';

/**
 * The local file that a line's output goes to. Undefined without one, and for a line that is no command: why it is not
 * is for the server to say, which decides.
 */
export const redirectOf = (line: string): string | undefined => {
  const parsed = parseCommand(line, catalogue);
  return parsed.ok ? parsed.command.redirect : undefined;
};
