import { inject } from 'vitest';
import { userToken } from '../../local/accessTokens.ts';
import { LiveResponseClient, type SessionResource } from '../../sdk/index.ts';
import { objectsOf } from './objects.ts';

/** A client of the running cloud for a user of the seed. */
export const responder = (user: string, tenant = 'contoso'): LiveResponseClient => {
  const cloud = inject('cloud');
  return new LiveResponseClient({ server: cloud.url, token: userToken(cloud, user, tenant) });
};

/** Looks until there is something to see; the events of the system set the pace, not a guess of how long it takes. */
export const eventually = async <Value>(
  what: string,
  look: () => Promise<Value | undefined | false>,
  withinMs = 30_000,
  everyMs = 25,
): Promise<Value> => {
  for (const deadline = performance.now() + withinMs; ;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
};

export const openConnected = async (
  client: LiveResponseClient,
  deviceId: string,
  reason = 'test',
): Promise<SessionResource> => {
  const { sessionId } = await client.openSession({ deviceId, reason });
  return eventually('the session is connected', async () => {
    const session = await client.session(sessionId);
    if (session.status === 'ended') throw new Error(`The session ended: ${session.end}`);
    return session.status === 'connected' ? session : undefined;
  });
};

export const commandStarted = (client: LiveResponseClient, sessionId: string, commandId: string) =>
  eventually('the command has started', async () => {
    const command = await client.command(sessionId, commandId);
    return command.startedAt !== null && command;
  });

export const commandEnded = (client: LiveResponseClient, sessionId: string, commandId: string) =>
  eventually('the command has ended', async () => {
    const command = await client.command(sessionId, commandId);
    return command.endedAt !== null && command;
  });

/** The rows that a command has put out so far. */
export const rowsOf = async (
  client: LiveResponseClient,
  sessionId: string,
  commandId: string,
): Promise<readonly Record<string, unknown>[]> =>
  objectsOf(await new Response(await client.output(sessionId, commandId)).text());

/** Runs `work` in a session of its own on this machine and disconnects whatever happens. */
export const inSession = async <Value>(
  client: LiveResponseClient,
  work: (session: SessionResource) => Promise<Value>,
  deviceId = inject('cloud').device.deviceId,
): Promise<Value> => {
  const session = await openConnected(client, deviceId);
  try {
    return await work(session);
  } finally {
    await client.disconnect(session.sessionId);
  }
};
