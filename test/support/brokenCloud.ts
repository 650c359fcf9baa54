import { expect } from 'vitest';
import type { EventEnvelope } from '../../domain/envelope.ts';
import type { LiveResponseClient, SessionResource } from '../../sdk/index.ts';
import { type FaultCloud, persistentClient, startFaultCloud } from './faultCloud.ts';
import { settled } from './faultEnds.ts';
import { endTypes, requireSoundSession, StoredHistory } from './faultHistory.ts';
import type { Load } from './faultLoad.ts';
import { orphansOf, processesOfCommands } from './faultProcesses.ts';
import { eventually } from './responders.ts';

/** A cloud that is about to be broken, and what shows the damage. */
export interface BrokenCloud {
  readonly fault: FaultCloud;
  readonly history: StoredHistory;
  /** Asks until it is answered, for as long as `patienceMs`. */
  readonly client: LiveResponseClient;
  /** Demands that the session takes a command and that its device runs it. */
  requireWorking(sessionId: string): Promise<void>;
  /** Ends the load and demands that all of it ended once and ran at most once. Gives the events of the session. */
  requireSound(
    session: Pick<SessionResource, 'sessionId'>,
    load: Load,
    stateDir?: string,
  ): Promise<readonly EventEnvelope[]>;
  stop(): Promise<void>;
}

/** How long open commands may take to end after the fault: their limit to start, and a look of supervision. */
const endsWithinMs = 180_000;

export const startBrokenCloud = async (
  name: string,
  { patienceMs }: { readonly patienceMs: number },
): Promise<BrokenCloud> => {
  const fault = await startFaultCloud(name);
  const history = new StoredHistory(fault.cloud);
  const client = persistentClient(fault.cloud, patienceMs);
  const tenantId = fault.cloud.tenants[0]?.id ?? '';
  return {
    fault,
    history,
    client,
    requireWorking: async (sessionId) => {
      expect(await client.issueCommand(sessionId, 'dir / &', { wait: 60 })).toMatchObject({
        state: 'Completed',
      });
    },
    requireSound: async ({ sessionId }, load, stateDir = fault.device.stateDir) => {
      await load.stop();
      await eventually(
        'every command has ended',
        async () => (await client.session(sessionId)).openCommands.length === 0,
        endsWithinMs,
      ).catch(() => undefined);
      const events = await history.session(tenantId, sessionId);
      const { accepted, refused } = load;
      requireSoundSession(events, { accepted, refused, executions: fault.executions() });
      const left = () =>
        Promise.resolve([...processesOfCommands(stateDir, [...accepted]), ...orphansOf(fault.mark)]);
      expect(await settled(left), 'processes that outlived their command or their service').toEqual([]);
      return events;
    },
    stop: async () => {
      history.close();
      await fault.stop();
    },
  };
};

/** How many commands ended how, such as `{ Completed: 12 }`. */
export const endsOf = (events: readonly EventEnvelope[]): Readonly<Record<string, number>> => {
  const ends: Record<string, number> = {};
  for (const { type } of events) {
    const end = type.replace('Command', '');
    if (endTypes.has(type)) ends[end] = (ends[end] ?? 0) + 1;
  }
  return ends;
};
