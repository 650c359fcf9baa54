import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import type { StoreFault } from '../../../local/cosmos/storeControl.ts';
import type { FaultRequest } from '../../../local/service-bus/faults.ts';
import type { ScheduleLane } from './scheduleLane.ts';
import {
  loseCommands,
  loseWords,
  type ModelCommand,
  type ModelSession,
  openSession,
  type ScheduleModel,
} from './scheduleModel.ts';
import { signal, standStill } from './sharedFaults.ts';

export type ScheduleStep = fc.AsyncCommand<ScheduleModel, ScheduleLane>;

interface Deed {
  /** What a failure calls it. */
  readonly name: string;
  readonly isPossible?: (model: Readonly<ScheduleModel>) => boolean;
  readonly act: (model: ScheduleModel, lane: ScheduleLane) => Promise<void> | void;
}

/** Moments between steps are short, so that they meet each other's work. */
const longestRestMs = 250;

/** @param make a deed from a random number; the same number makes the same deed. */
const step = (weight: number, make: (random: number) => Deed) => ({
  weight,
  arbitrary: fc
    .tuple(fc.nat({ max: 0x7fff_fffe }), fc.nat({ max: longestRestMs }))
    .map(([random, restMs]): ScheduleStep => {
      const { name, isPossible = () => true, act } = make(random);
      return {
        check: isPossible,
        run: async (model, lane) => {
          await act(model, lane);
          await pause(restMs);
        },
        toString: () => `${name}, ${restMs} ms`,
      };
    }),
});

const pick = <const Value>(values: readonly [Value, ...Value[]], random: number): Value =>
  values[random % values.length] ?? values[0];

const inSession = (
  name: string,
  act: (session: ModelSession, lane: ScheduleLane) => Promise<void> | void,
): Deed => ({
  name,
  isPossible: (model) => openSession(model) !== undefined,
  act: async (model, lane) => {
    const session = openSession(model);
    if (session !== undefined) await act(session, lane);
  },
});

const onCommand = (
  name: string,
  random: number,
  act: (session: ModelSession, command: ModelCommand, lane: ScheduleLane) => Promise<void>,
): Deed => ({
  name,
  isPossible: (model) => (openSession(model)?.commands.length ?? 0) > 0,
  act: async (model, lane) => {
    const session = openSession(model);
    const command = session?.commands[random % session.commands.length];
    if (session !== undefined && command !== undefined) await act(session, command, lane);
  },
});

const commandLine = (kind: 'dir' | 'fileinfo' | 'getfile', { files }: ScheduleLane): string =>
  ({ dir: 'dir /', fileinfo: `fileinfo "${files.sparse}"`, getfile: `getfile "${files.small}"` })[kind];

const responderSteps = [
  step(12, (random) => {
    const kind = pick(['dir', 'fileinfo', 'getfile', 'dir'], random);
    const background = random % 8 < 6 ? ' &' : '';
    return inSession(`issue ${kind}${background}`, (session, lane) => {
      lane.issue(session, `${commandLine(kind, lane)}${background}`);
    });
  }),
  step(2, (random) =>
    onCommand('ask again', random, (session, command, lane) => lane.askAgain(session, command)),
  ),
  step(2, (random) => onCommand('cancel', random, (session, command, lane) => lane.cancel(session, command))),
  step(1, (random) =>
    onCommand('background', random, (session, command, lane) => lane.sendToBackground(session, command)),
  ),
  step(1, () => inSession('disconnect', (session, lane) => lane.disconnect(session))),
  step(4, () => ({
    name: 'open',
    isPossible: (model) => openSession(model) === undefined,
    act: (model, lane) => lane.open(model),
  })),
  step(1, () => ({
    name: 'hang up',
    isPossible: ({ isReading }) => isReading,
    act: (model, lane) => lane.hangUp(model),
  })),
  step(2, () => ({
    name: 'read on',
    isPossible: ({ isReading }) => !isReading,
    act: (model, lane) => lane.resumeReading(model),
  })),
];

const shortWhile = (random: number): number => 100 + (random % 1_000);

const deviceSteps = [
  step(1, () => ({
    name: 'kill the agent',
    act: (model, lane) => {
      loseCommands(model);
      lane.killAgent();
    },
  })),
  step(1, () => ({
    name: 'kill the worker',
    act: (model, lane) => {
      loseCommands(model);
      lane.killWorker();
    },
  })),
  step(1, (random) => ({
    name: `stop the agent for ${shortWhile(random)} ms`,
    act: (_, lane) => lane.stopAgent(shortWhile(random)),
  })),
  step(1, (random) => ({
    name: `stop the worker for ${shortWhile(random)} ms`,
    act: (_, lane) => lane.stopWorker(shortWhile(random)),
  })),
];

/** Of half of all requests, for a number of them. */
const weather = (fault: Omit<StoreFault, 'kind'>): readonly StoreFault[] => [
  { kind: '*', probability: 0.5, times: 10, forMs: 3_000, ...fault },
];
const storeWeather: readonly [readonly StoreFault[], ...(readonly StoreFault[])[]] = [
  weather({ status: 429, retryAfterMs: 30 }),
  weather({ status: 503 }),
  weather({ status: 410 }),
  weather({ status: 449 }),
  weather({ cut: 'before' }),
  weather({ cut: 'after' }),
  weather({ delayMs: 300 }),
  ['readItem', 'query', 'changeFeed'].map((kind) => ({ kind, stale: true, lag: 3, times: 20, forMs: 3_000 })),
];

const sharedSteps = [
  step(1, (random) => {
    const forMs = shortWhile(random);
    const dies = random % 2 === 0;
    return {
      name: dies ? 'kill an app process' : `stop an app process for ${forMs} ms`,
      act: (_, lane) =>
        lane.aside(lane.shared.withApp((pid) => (dies ? signal(pid, 'SIGKILL') : standStill(pid, forMs)))),
    };
  }),
  step(2, (random) => {
    // The host takes longest to come back: all others wait for it.
    const part = random % 10 === 0 ? 'host' : pick(['cosmos', 'serviceBus'], random);
    const downMs = (random >>> 4) % 500;
    return {
      name: `kill ${part} for ${downMs} ms`,
      act: (_, lane) => lane.aside(lane.shared.kill(part, downMs)),
    };
  }),
  step(1, (random) => {
    const part = pick(['cosmos', 'serviceBus'], random);
    return {
      name: `stop ${part} for ${shortWhile(random)} ms`,
      act: (_, lane) => lane.aside(lane.shared.standStill(part, shortWhile(random))),
    };
  }),
  step(2, (random) => {
    const faults = pick(storeWeather, random);
    return {
      name: `store ${JSON.stringify(faults)}`,
      act: (_, lane) => lane.aside(lane.shared.addToStore(faults)),
    };
  }),
  // Each cut doubles the partitions of everything: often would be a stress of another kind.
  step(1, (random) => ({
    name: 'split the store',
    act: (_, lane) => {
      if (random % 8 === 0) lane.aside(lane.shared.splitStore());
    },
  })),
];

type ChannelFault = Omit<FaultRequest, 'entity'>;

/** Nothing of this breaks what a broker promises: at least once, and no order of what was sent twice. */
const channelFaults: readonly [ChannelFault, ...ChannelFault[]] = [
  { at: 'send', do: 'duplicate', times: 2 },
  { at: 'send', do: 'delay', times: 2, delayMs: 500 },
  { at: 'send', do: 'reorder', times: 2, delayMs: 500 },
  { at: 'send', do: 'throttle', times: 2 },
  { at: 'send', do: 'loseAnswer' },
  { at: 'send', do: 'cutBefore' },
  { at: 'send', do: 'cutAfter' },
  { at: 'deliver', do: 'duplicate', times: 2 },
  { at: 'deliver', do: 'delay', delayMs: 500 },
  { at: 'settle', do: 'lockLost' },
  { at: 'settle', do: 'loseAnswer' },
  { at: 'settle', do: 'cutBefore' },
  { at: 'settle', do: 'cutAfter' },
];

const channelSteps = [
  step(5, (random) => {
    const way = pick(['down', 'up'], random);
    const fault = pick(channelFaults, random >>> 1);
    return inSession(`broker, ${way}: ${JSON.stringify(fault)}`, (session, lane) =>
      lane.breakChannel(session, way, fault),
    );
  }),
  // What is lost on its way down is sent again.
  step(1, () =>
    inSession('the broker loses a message on its way down', (session, lane) =>
      lane.breakChannel(session, 'down', { at: 'send', do: 'drop' }),
    ),
  ),
];

/** What is lost on its way up is waited for until the server's limits are over: minutes. */
const lossSteps = [
  step(1, () =>
    inSession('the broker loses a message on its way up', (session, lane) => {
      loseWords(session);
      lane.breakChannel(session, 'up', { at: 'send', do: 'drop' });
    }),
  ),
];

/** Steps that happen one after the other; what they set off happens side by side. */
export const arbitrarySchedule = (options: {
  readonly longest: number;
  readonly withLosses: boolean;
}): fc.Arbitrary<Iterable<ScheduleStep>> =>
  fc.commands(
    [
      fc.oneof(
        ...responderSteps,
        ...deviceSteps,
        ...sharedSteps,
        ...channelSteps,
        ...(options.withLosses ? lossSteps : []),
      ),
    ],
    { maxCommands: options.longest, size: 'max' },
  );
