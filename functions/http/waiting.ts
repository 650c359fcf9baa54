import type { Head } from '../../domain/eventStore.ts';
import { openCommands, type SessionState, sessionFold, sessionStream } from '../../domain/session/index.ts';
import type { Services } from '../services.ts';

const shortestPauseMs = 50;
/** A responder who has paused waits half of this on average before the next command shows; docs/cost.md has its price. */
const longestPauseMs = 250;

/**
 * Waits until the head of a session has moved past `head`, or `until` (monotonic milliseconds) is over. HTTP and device messages
 * are handled by different instances, so the store is the only meeting place: a look at an unchanged head costs one request unit.
 */
export const nextHead = async (
  services: Services,
  tenantId: string,
  sessionId: string,
  head: Head<SessionState>,
  until: number,
  signal: { readonly aborted: boolean },
): Promise<Head<SessionState> | undefined> => {
  const { surroundings, store } = services;
  const isBusy = openCommands(head.state).length > 0 || head.state.status === 'opening';
  for (
    let pause = shortestPauseMs;
    ;
    pause = isBusy ? shortestPauseMs : Math.min(pause * 1.5, longestPauseMs)
  ) {
    const left = until - surroundings.elapsed();
    if (left <= 0 || signal.aborted) return undefined;
    await surroundings.sleep(Math.min(pause, left));
    const moved = await store.headIfChanged(tenantId, sessionStream(sessionId), sessionFold, head.etag);
    if (moved !== undefined && moved.version > head.version) return moved;
  }
};
