import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventEnvelope } from '../../domain/envelope.ts';
import type { SessionResource } from '../../sdk/index.ts';
import { type FaultCloud, setLimits, startFaultCloud } from '../support/faultCloud.ts';
import { settled, whenEnded } from '../support/faultEnds.ts';
import {
  brokerDeadLetters,
  endOf,
  leakedSlots,
  requireSoundSession,
  StoredHistory,
  storeFaults,
} from '../support/faultHistory.ts';
import {
  byAge,
  descendantsOf,
  markedProcesses,
  orphansOf,
  processesOfCommands,
  workersOf,
} from '../support/faultProcesses.ts';
import { type SeededChance, seededChance } from '../support/faultRandom.ts';
import { eventually } from '../support/responders.ts';

const suite = 'a process is killed while commands are on their way';
const kinds = ['app', 'broker', 'agent', 'worker'] as const;
type Kind = (typeof kinds)[number];

const kills = Number(process.env['FAULT_RUNS'] ?? 25);
const baseSeed = Number(process.env['FAULT_SEED'] ?? Date.now() % 1_000_000_000);
const only = process.env['FAULT_ONLY'];
/** Kills that follow each other while commands of the ones before may still be open. */
const killsPerRound = 5;
const longestDelayMs = 400;
/** A head keeps the ids of at most 2,000 commands. */
const commandsPerSession = 1_000;

const replay = (kind: Kind, seed: number): string =>
  `FAULT_SEED=${seed} FAULT_RUNS=${killsPerRound} FAULT_ONLY=${kind} npm run test:fault -- -t '${suite}'`;
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const secondsSince = (began: number): string => ((performance.now() - began) / 1000).toFixed(1);

interface Planned {
  readonly commandId: string;
  readonly line: string;
}

/** One to three commands, so that a process dies with several of them at several stages. Only one may be in the foreground. */
const plan = (
  chance: SeededChance,
  { sparse, small }: FaultCloud['files'],
  foreground: boolean,
): readonly Planned[] => {
  const lines = ['dir /', `fileinfo "${sparse}"`, `getfile "${small}"`] as const;
  return Array.from({ length: 1 + chance.below(3) }, (_, index) => ({
    commandId: randomUUID(),
    line: `${chance.oneOf(lines)}${foreground && index === 0 ? '' : ' &'}`,
  }));
};

describe(suite, () => {
  let fault: FaultCloud;
  let history: StoredHistory;
  let tenantId: string;
  let session: SessionResource | undefined;
  /** By session, because commands are checked against the events of their session. */
  const accepted = new Map<string, Set<string>>();
  const refused = new Set<string>();

  beforeAll(async () => {
    fault = await startFaultCloud('kills');
    history = new StoredHistory(fault.cloud);
    tenantId = fault.cloud.tenants[0]?.id ?? '';
    // Lost is said soon, should it have to be said.
    await setLimits(fault.cloud, {
      startWithin: 20,
      command: 30,
      longCommand: 30,
      connect: 30,
      backgroundCommands: 50,
    });
  });
  afterAll(async () => {
    history?.close();
    await fault?.stop();
    if (fault !== undefined) {
      await eventually(
        'no process of the agent is left',
        async () => markedProcesses(fault.mark).length === 0,
      );
    }
  });

  const liveSession = async (): Promise<SessionResource> => {
    if (session !== undefined) {
      const current = await fault.client.session(session.sessionId);
      const issued = accepted.get(session.sessionId)?.size ?? 0;
      if (current.status === 'connected' && issued < commandsPerSession) return current;
      if (current.status === 'connected') await fault.client.disconnect(session.sessionId);
    }
    session = await fault.openSession();
    return session;
  };

  /** The next round gets a session of its own: what is wrong with this one is not to be found again there. */
  const abandonSession = async (): Promise<void> => {
    const broken = session;
    session = undefined;
    if (broken === undefined) return;
    accepted.delete(broken.sessionId);
    await fault.client.disconnect(broken.sessionId);
  };

  /** Kills one process of this kind. The promise inside resolves when what died has been replaced. */
  const kill: Readonly<Record<Kind, () => Promise<{ recovered: Promise<unknown> }>>> = {
    app: async () => {
      // The elder one: the other may not have loaded the app yet.
      const [victim] = byAge((await fault.hostStatus()).appProcesses);
      if (victim === undefined) throw new Error('No app process is alive.');
      process.kill(victim, 'SIGKILL');
      return {
        recovered: eventually('the host has replaced the app process', async () => {
          const { appProcesses } = await fault.hostStatus();
          return appProcesses.length === 2 && !appProcesses.includes(victim);
        }),
      };
    },
    broker: async () => {
      fault.cloud.parts.serviceBus.kill('SIGKILL');
      return { recovered: fault.cloud.restart('serviceBus') };
    },
    agent: async () => {
      fault.device.kill('SIGKILL');
      return { recovered: fault.device.restart() };
    },
    worker: async () => {
      const servicePid = fault.device.pid();
      const [victim] = await eventually('the session has a worker', async () => {
        const workers = workersOf(servicePid);
        return workers.length > 0 && workers;
      });
      if (victim === undefined) throw new Error('The session has no worker.');
      process.kill(victim, 'SIGKILL');
      return {
        // With an executor beside it, it has loaded: what dies again and again while it loads is started ever more slowly.
        recovered: eventually('the agent has replaced the worker', async () =>
          workersOf(servicePid).some((pid) => pid !== victim && descendantsOf(pid).length > 0),
        ),
      };
    },
  };

  /** Sends the command until there is an answer; true when it was accepted. */
  const issue = async (sessionId: string, { commandId, line }: Planned): Promise<boolean> => {
    try {
      const answer = await fault.client.issueCommand(sessionId, line, { idempotencyKey: commandId });
      expect(answer.commandId).toBe(commandId);
      return true;
    } catch (error) {
      // Only the end of the session is a reason to refuse any of these commands.
      if ((error as { readonly code?: unknown }).code === 'SESSION_ENDED') return false;
      throw error;
    }
  };

  const check = async (sessionId: string, events: readonly EventEnvelope[]): Promise<void> => {
    const commandIds = [...(accepted.get(sessionId) ?? [])];
    requireSoundSession(events, { accepted: commandIds, refused, executions: fault.executions() });
    const left = await settled(async () => [
      ...processesOfCommands(fault.device.stateDir, commandIds),
      ...orphansOf(fault.mark),
    ]);
    expect(left, 'processes that outlived their command or their service').toEqual([]);
  };

  const round = async (kind: Kind, seed: number, killsNow: number): Promise<void> => {
    const began = performance.now();
    const chance = seededChance(seed * kinds.length + kinds.indexOf(kind));
    const { sessionId, version } = await liveSession();
    const ids = accepted.get(sessionId) ?? new Set<string>();
    accepted.set(sessionId, ids);
    const issued: { readonly command: Planned; readonly answered: Promise<boolean> }[] = [];
    const delays: number[] = [];
    for (let index = 0; index < killsNow; index += 1) {
      for (const command of plan(chance, fault.files, index === 0)) {
        const answered = issue(sessionId, command);
        // Looked at when the round is over; a failure before that must not end this process.
        answered.catch(() => undefined);
        issued.push({ command, answered });
      }
      const delay = Math.round(chance.next() * longestDelayMs);
      delays.push(delay);
      await pause(delay);
      const { recovered } = await kill[kind]();
      await recovered;
    }
    for (const { command, answered } of issued) ((await answered) ? ids : refused).add(command.commandId);
    const taken = issued.map(({ command }) => command).filter(({ commandId }) => ids.has(commandId));
    await whenEnded(
      fault.client,
      sessionId,
      version,
      taken.map(({ commandId }) => commandId),
    );
    // A client that did not hear the answer sends its request again, at any time.
    for (const command of taken) expect(await issue(sessionId, command)).toBe(true);
    const events = await history.session(tenantId, sessionId);
    const ends = issued.map(
      ({ command: { commandId, line } }) =>
        `${line.split(' ')[0]} ${endOf(events, commandId) ?? 'without end'}`,
    );
    say(
      `${kind} seed ${seed}: killed ${delays.join(', ')} ms after an issue: ${ends.join(', ')} (${secondsSince(began)} s)`,
    );
    await check(sessionId, events);
  };

  // In turn, because the host before a restart and the agent before a connection wait ever longer when they fail in a row.
  const rounds = Array.from({ length: Math.ceil(kills / killsPerRound) }, (_, index) =>
    kinds
      .filter((kind) => only === undefined || only === kind)
      .map((kind) => ({
        kind,
        seed: baseSeed + index * killsPerRound,
        from: index * killsPerRound + 1,
        to: Math.min((index + 1) * killsPerRound, kills),
      })),
  ).flat();

  it.each(rounds)(
    '$kind, kills $from to $to: every accepted command ends once and runs at most once',
    { timeout: 300_000 },
    async ({ kind, seed, from, to }) => {
      try {
        await round(kind, seed, to - from + 1);
      } catch (error) {
        await abandonSession();
        throw new Error(
          `${kind}, kills ${from} to ${to}, seed ${seed}. Again: ${replay(kind, seed)}\n${error instanceof Error ? error.message : String(error)}`,
          { cause: error },
        );
      }
    },
  );

  it('leaves a store, a broker and a machine in order', async () => {
    if (session !== undefined) {
      const { sessionId } = session;
      // It shows that the session still works, and that everything the agent had to say before was heard.
      const last = { commandId: randomUUID(), line: 'dir /' };
      expect(await issue(sessionId, last)).toBe(true);
      accepted.get(sessionId)?.add(last.commandId);
      await whenEnded(fault.client, sessionId, 0, [last.commandId]);
      await fault.client.disconnect(sessionId);
    }
    const streams = await eventually('all slots are given back', async () => {
      const now = await history.streams();
      return leakedSlots(now).length === 0 && now;
    });
    expect(storeFaults(streams)).toEqual([]);
    for (const [sessionId, ids] of accepted) {
      const events = streams.find(({ streamId }) => streamId === `session-${sessionId}`)?.events ?? [];
      await check(sessionId, events);
      // The list is a view: moments behind the events, and then as they say.
      const told = [...ids].map((commandId) => `${commandId} ${endOf(events, commandId)}`).sort();
      let listed: string[] = [];
      await eventually('the list of commands says what the events say', async () => {
        listed = [];
        for await (const { commandId, state } of fault.client.commands(sessionId)) {
          if (ids.has(commandId)) listed.push(`${commandId} ${state}`);
        }
        return listed.sort().join() === told.join();
      }).catch(() => expect(listed).toEqual(told));
    }
    const issued = new Set([...accepted.values()].flatMap((ids) => [...ids]));
    expect(fault.executions().filter((commandId) => !issued.has(commandId))).toEqual([]);
    expect(await history.deadLetters()).toEqual([]);
    expect(await brokerDeadLetters(fault.cloud, fault.device.deviceId)).toEqual([]);
  });
});
