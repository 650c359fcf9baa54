import type { LiveResponseClient, SessionResource } from '../../sdk/index.ts';
import {
  type EnrolledDevice,
  enrolDevices,
  openedContent,
  type PlayedAgent,
  playAgent,
} from './enrolledDevices.ts';
import { eventually, responder } from './responders.ts';

/** A session whose device is played by the test. */
export interface PlayedSession {
  readonly device: EnrolledDevice;
  readonly agent: PlayedAgent;
  /** As it is after the device answered: version 2, sequence 1 is used. */
  readonly session: SessionResource;
}

/** Opens a session on `device` and answers for it. */
export const openPlayed = async (
  client: LiveResponseClient,
  device: EnrolledDevice,
  agent: PlayedAgent,
  capabilities?: readonly string[],
): Promise<SessionResource> => {
  const { sessionId } = await client.openSession({ deviceId: device.deviceId, reason: 'test' });
  for (;;) {
    const down = await agent.next();
    if (down.kind === 'session.open' && down.sessionId === sessionId) break;
  }
  await agent.send(sessionId, agent.message(sessionId, 1, openedContent(capabilities)));
  return eventually('the session is connected', async () => {
    const session = await client.session(sessionId);
    return session.status === 'connected' && session;
  });
};

export const inPlayedSession = async <Value>(
  work: (played: PlayedSession) => Promise<Value>,
  capabilities?: readonly string[],
): Promise<Value> => {
  const client = responder('ana');
  const [device] = await enrolDevices(1, 'played');
  if (device === undefined) throw new Error('no device');
  const agent = await playAgent(device);
  try {
    const session = await openPlayed(client, device, agent, capabilities);
    try {
      return await work({ device, agent, session });
    } finally {
      await client.disconnect(session.sessionId);
    }
  } finally {
    await agent.close();
  }
};
