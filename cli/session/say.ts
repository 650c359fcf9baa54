import { nextAfterFailure } from '../nextSteps.ts';
import { shownInLine } from '../terminal/neutralise.ts';
import { notice, styled } from '../terminal/screen.ts';
import { shownDuration, shownSize } from '../terminal/units.ts';
import type { LiveSession } from './liveSession.ts';
import { type CommandFile, isEnded, type TrackedCommand } from './trackedCommand.ts';

/** Sentences about a session for people. They go to stderr unless `say` is given: stdout is for the output. */
type Say = (line: string) => void;

export const sayConnected = ({ device, sessionId, userName }: LiveSession, say: Say = notice): void => {
  if (device === undefined) return;
  const { hostName, platform, agentVersion } = device;
  say(
    `Connected to ${shownInLine(hostName)} (${shownInLine(platform)}, agent ${shownInLine(agentVersion)}) as ${shownInLine(userName)}, session ${shownInLine(sessionId)}.`,
  );
};

/** `getWith`: what the user types, before the file's id, to have it here. */
export const sayFile = (
  { fileId, name, size, sha256 }: CommandFile,
  getWith: string,
  say: Say = notice,
): void =>
  say(
    `Collected ${shownInLine(name)} (${shownSize(size)}, SHA-256 ${shownInLine(sha256)}) as ${shownInLine(fileId)}. Get it: ${getWith} ${shownInLine(fileId)}`,
  );

/** How a command ended; a foreground command that completed needs no words, unless a script said that something is wrong. */
export const sayEnd = (command: TrackedCommand, say: Say = notice): void => {
  const { state, exitCode, duration, error, background, line } = command;
  const subject = background ? `${shownInLine(line)}: ` : '';
  if (!isEnded(command))
    return say(styled('red', `${subject}The session ended before the command did.`, process.stderr));
  const isGood = state === 'Completed' && (exitCode ?? 0) === 0;
  if (isGood && !background) return;
  const code = exitCode === null || exitCode === 0 ? '' : ` (exit code ${exitCode})`;
  const after = duration === null ? '' : ` after ${shownDuration(duration)}`;
  const why = error === null ? '' : `: ${shownInLine(error.message)} [${shownInLine(error.code)}]`;
  say(styled(isGood ? 'green' : 'red', `${subject}${state}${code}${after}${why}`, process.stderr));
  const next = error === null ? undefined : nextAfterFailure(error.code);
  if (next !== undefined) say(next);
};

/** Why a session is over. */
export const sessionEndText = (end: string | undefined): string => {
  switch (end) {
    case 'SessionDisconnected':
      return 'The session was disconnected.';
    case 'SessionExpired':
      return 'The session ended because nothing was done in it for too long.';
    case 'SessionLost':
      return 'The session is lost: the device has been silent for too long or was not who it said it is.';
    default:
      return `The session is over${end === undefined ? '' : ` (${shownInLine(end)})`}.`;
  }
};
