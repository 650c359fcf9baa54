import {
  type Candidate,
  catalogue,
  complete,
  isPlatform,
  parseCommand,
} from '../../domain/catalogue/index.ts';
import type { ConnectedDevice } from '../session/liveSession.ts';

/**
 * The local file that a line's output goes to. Undefined without one, and for a line that is no command: why it is not
 * is for the server to say, which decides.
 */
export const redirectOf = (line: string): string | undefined => {
  const parsed = parseCommand(line, catalogue);
  return parsed.ok ? parsed.command.redirect : undefined;
};

const ownWords: readonly Candidate[] = ['cls', 'disconnect', 'download', 'exit', 'quit'].map((text) => ({
  text,
  kind: 'command',
  description: '',
}));

/** Candidates and the text they replace, as a readline completer gives them. `line` ends at the cursor. */
export const completionsOf = (line: string, device: ConnectedDevice | undefined): [string[], string] => {
  if (device === undefined || !isPlatform(device.platform)) return [[], line];
  const { platform, capabilities } = device;
  // Which rights the user has only the server knows; it refuses what is offered too much.
  const context = { platform, capabilities, rights: ['Basic', 'Advanced'] as const };
  const { from, to, candidates } = complete(line, line.length, context);
  const typed = line.slice(from, to);
  const isFirstWord = line.slice(0, from).trim() === '';
  const own = isFirstWord ? ownWords.filter(({ text }) => text.startsWith(typed.toLowerCase())) : [];
  const texts = new Set([...candidates, ...own].map(({ text }) => `${text} `));
  return [[...texts].sort(), typed];
};
