import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { historyFaults } from '../../cli/history/verifyHistory.ts';
import { eventsOf } from '../support/recordedEvents.ts';
import { eventually, inSession, responder } from '../support/responders.ts';
import { enrolFleet } from '../simulator/enrolFleet.ts';
import { startFleet } from '../simulator/fleet.ts';

it('simulates devices that the system takes for real ones', async () => {
  const ana = responder('ana');
  const { url, caFile, dataDir } = inject('cloud');
  const enrolment = {
    server: url,
    file: join(dataDir, 'fleet.json'),
    newToken: async (uses: number) => (await ana.createEnrolmentToken({ uses })).token,
    progress: () => undefined,
  };
  const identities = await enrolFleet({ ...enrolment, devices: 3 });
  expect(await enrolFleet({ ...enrolment, devices: 3 })).toEqual(identities);
  const fleet = startFleet({ identities, caFile });
  try {
    await fleet.connected;
    const [device] = identities;
    const sessionId = await inSession(
      ana,
      async (session) => {
        const command = await ana.runCommand(session.sessionId, 'cd /srv');
        expect(command).toMatchObject({ state: 'Completed', error: null });
        expect((await ana.session(session.sessionId)).directory).toBe('/srv');
        return session.sessionId;
      },
      device?.deviceId,
    );
    const events = await eventsOf(ana, sessionId);
    const { version } = await ana.session(sessionId);
    expect(historyFaults(sessionId, events, version)).toEqual([]);
    await eventually('every device is heard', async () => {
      const seen = await Promise.all(identities.map(({ deviceId }) => ana.device(deviceId)));
      return seen.every(({ lastSeen }) => lastSeen !== null);
    });
    // Told once a second.
    await eventually('the fleet counts what it did', async () => {
      const { connected, sessions, commands } = fleet.counts();
      return connected === 3 && sessions === 1 && commands === 1;
    });
  } finally {
    await fleet.stop();
  }
  for (const { deviceId } of identities) await ana.retireDevice(deviceId);
});
