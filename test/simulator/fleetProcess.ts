import { trustAuthorities } from '../../agent/settings/authorities.ts';
import type { FleetReport, FleetStart } from './fleet.ts';
import { noCounts, SimulatedDevice } from './simulatedDevice.ts';

/** One process of a fleet; ends when its parent lets go of it. */
const startsAtOnce = 10;

const tell = (report: FleetReport): void => {
  if (process.connected) process.send?.(report);
};

process.once('message', async ({ identities, caFile }: FleetStart) => {
  if (caFile !== null) trustAuthorities(caFile);
  const counts = noCounts();
  const devices = identities.map((identity) => new SimulatedDevice(identity, counts));
  setInterval(() => tell({ counts }), 1_000);
  process.once('disconnect', async () => {
    // A broker that is gone answers no close.
    setTimeout(() => process.exit(0), 5_000).unref();
    await Promise.allSettled(devices.map((device) => device.stop()));
    process.exit(0);
  });
  const waiting = [...devices];
  await Promise.all(
    Array.from({ length: startsAtOnce }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next.start();
    }),
  );
  tell({ counts });
  tell({ connected: true });
});
