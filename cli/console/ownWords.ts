import type { Candidate } from '../../domain/catalogue/index.ts';

const descriptions: Readonly<Record<string, string>> = {
  cls: 'Clear the screen.',
  cut: 'Cut long cells of tables (cut on) or wrap them again (cut off).',
  disconnect: 'End the session.',
  download: 'Fetch a file that this session collected, or collect one.',
  exit: 'End the session.',
  quit: 'End the session.',
};

/** What the console does itself and does not send to the server. */
export const ownWords: readonly Candidate[] = Object.entries(descriptions).map(([text, description]) => ({
  text,
  kind: 'command',
  description,
}));
