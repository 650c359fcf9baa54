import { reportOf } from '../failure.ts';
import { shownInLine } from '../terminal/neutralise.ts';
import { notice } from '../terminal/screen.ts';
import type { LiveSession } from './liveSession.ts';

/** Disconnects. When that fails it is said, and what happened before keeps its own outcome. */
export const leaveSession = async (session: LiveSession): Promise<void> => {
  try {
    await session.disconnect();
  } catch (error) {
    const why = reportOf(error)?.message ?? String(error);
    notice(`Session ${shownInLine(session.sessionId)} was not disconnected: ${shownInLine(why)}`);
    notice('It ends by itself when it has been idle for too long; see "lr sessions".');
  }
};
