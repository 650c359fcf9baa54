import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { SimulatedIdentity } from './identity.ts';
import { type FleetCounts, noCounts } from './simulatedDevice.ts';

/** A process holds this many devices: two connections each, and the heap stays below Node's limit. */
const devicesPerProcess = 500;

export interface Fleet {
  /** Sums over all processes, about a second old. */
  counts(): FleetCounts;
  /** Resolves when every device was connected once. */
  readonly connected: Promise<void>;
  stop(): Promise<void>;
}

export interface FleetStart {
  readonly identities: readonly SimulatedIdentity[];
  readonly caFile: string | null;
}

/** What a process of the fleet tells its parent. */
export type FleetReport = { readonly counts: FleetCounts } | { readonly connected: true };

/** Connects the devices, in as many processes as they need. */
export const startFleet = ({ identities, caFile }: FleetStart): Fleet => {
  const parts = Array.from({ length: Math.ceil(identities.length / devicesPerProcess) }, (_, index) =>
    startPart({
      identities: identities.slice(index * devicesPerProcess, (index + 1) * devicesPerProcess),
      caFile,
    }),
  );
  return {
    counts: () =>
      parts.reduce((sum, { counts }) => {
        const add = counts();
        for (const name of Object.keys(sum) as (keyof FleetCounts)[]) sum[name] += add[name];
        return sum;
      }, noCounts()),
    connected: Promise.all(parts.map(({ connected }) => connected)).then(() => undefined),
    stop: async () => {
      await Promise.all(
        parts.map(({ child, gone }) => {
          if (child.connected) child.disconnect();
          return gone;
        }),
      );
    },
  };
};

const startPart = (start: FleetStart) => {
  const child: ChildProcess = fork(join(import.meta.dirname, 'fleetProcess.ts'), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  let counts = noCounts();
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const connected = new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`A process of the fleet ended with code ${code}.`)));
    child.on('message', (report: FleetReport) => {
      if ('counts' in report) counts = report.counts;
      else resolve();
    });
  });
  connected.catch(() => undefined);
  child.send(start);
  return { child, gone, connected, counts: () => counts };
};
