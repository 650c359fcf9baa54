import type { Envelope, LiveResponseClient } from '../../sdk/index.ts';

/** All events of a session that are recorded by now. */
export const eventsOf = async (
  client: LiveResponseClient,
  sessionId: string,
): Promise<readonly Envelope[]> => {
  const events: Envelope[] = [];
  for await (const event of client.recordedEvents(sessionId)) events.push(event);
  return events;
};

export const typesOf = async (client: LiveResponseClient, sessionId: string): Promise<readonly string[]> =>
  (await eventsOf(client, sessionId)).map(({ type }) => type);
