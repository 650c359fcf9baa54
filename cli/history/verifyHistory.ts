import { type ChainFault, chainFaults } from '../../evidence/hashChain.ts';
import type { Envelope } from '../../sdk/index.ts';

/**
 * Checks that a session's events are whole and unchanged: numbers, links, hashes, times, and that none is missing at the
 * end, as far as the version that the server itself names shows it. An empty answer means that nothing was found.
 */
export const historyFaults = (
  sessionId: string,
  events: readonly Envelope[],
  expectedVersion: number,
): readonly ChainFault[] => {
  // The shape was checked at the border; what the chain is over are the very values that came.
  const faults = chainFaults(`session-${sessionId}`, events as Parameters<typeof chainFaults>[1]);
  if (events.length >= expectedVersion) return faults;
  return [
    ...faults,
    {
      version: events.length + 1,
      fault: `is missing: the session is at version ${expectedVersion}, but only ${events.length} events came`,
    },
  ];
};
