import type { LiveResponseClient } from '../../sdk/index.ts';
import { commandOf, endTypes } from './faultHistory.ts';
import { eventually } from './responders.ts';

const endsWithinMs = 90_000;
const settlesWithinMs = 15_000;

/**
 * Follows the session from version `after` on until all these commands have ended. Comes back without a word when they have
 * not in time: whoever looks at the history then says which, with their events.
 */
export const whenEnded = async (
  client: LiveResponseClient,
  sessionId: string,
  after: number,
  commandIds: readonly string[],
): Promise<void> => {
  const open = new Set(commandIds);
  if (open.size === 0) return;
  const signal = AbortSignal.timeout(endsWithinMs);
  try {
    for await (const event of client.events(sessionId, { after, signal })) {
      if (endTypes.has(event.type)) open.delete(commandOf(event) ?? '');
      if (open.size === 0) return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
};

/** What stays when everything that is on its way out has gone. */
export const settled = async (look: () => Promise<readonly string[]>): Promise<readonly string[]> => {
  let last: readonly string[] = [];
  await eventually(
    'nothing is left',
    async () => {
      last = await look();
      return last.length === 0;
    },
    settlesWithinMs,
  ).catch(() => undefined);
  return last;
};
