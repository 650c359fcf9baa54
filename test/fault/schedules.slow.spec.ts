import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LocalDevice } from '../../local/device.ts';
import { type FaultCloud, setLimits, startFaultCloud } from '../support/faultCloud.ts';
import { settled } from '../support/faultEnds.ts';
import { brokerDeadLetters, leakedSlots, StoredHistory, storeFaults } from '../support/faultHistory.ts';
import { orphansOf } from '../support/faultProcesses.ts';
import { eventually } from '../support/responders.ts';
import { ScheduleLane, type SchedulePlace } from '../support/schedules/scheduleLane.ts';
import { newModel } from '../support/schedules/scheduleModel.ts';
import { arbitrarySchedule, type ScheduleStep } from '../support/schedules/scheduleSteps.ts';
import { SharedFaults } from '../support/schedules/sharedFaults.ts';

const isNightly = process.env['FAULT_NIGHTLY'] === '1';
const runs = Number(process.env['FAULT_SCHEDULES'] ?? (isNightly ? 1_000 : 50));
/** Words of the device are lost, too: it takes the server minutes to say so. */
const withLosses = (process.env['FAULT_LOSSES'] ?? (isNightly ? '1' : '0')) === '1';
const baseSeed = Number(process.env['FAULT_SEED'] ?? Date.now() % 1_000_000_000);
/** Schedules that are played side by side, each on a device of its own. */
const lanes = Math.min(runs, Number(process.env['FAULT_LANES'] ?? 6));
const longest = 12;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const scheduleOf = (seed: number): readonly ScheduleStep[] => {
  const [steps] = fc.sample(arbitrarySchedule({ longest, withLosses }), { seed, numRuns: 1, unbiased: true });
  if (steps === undefined) throw new Error(`Seed ${seed} gives no schedule.`);
  return [...steps];
};

function* seeds(): Generator<number> {
  for (let index = 0; index < runs; index += 1) yield baseSeed + index;
}

let fault: FaultCloud;
let history: StoredHistory;
let devices: readonly LocalDevice[] = [];
beforeAll(async () => {
  fault = await startFaultCloud('schedules', { appClockSkewSeconds: [0, 2] });
  history = new StoredHistory(fault.cloud);
  await setLimits(fault.cloud, {
    openSessionsPerUser: 100,
    openSessionsPerTenant: 200,
    backgroundCommands: 50,
    // Longer than anything here is away; a word that is lost is told when they are over.
    startWithin: 90,
    command: 60,
    longCommand: 60,
    connect: 90,
  });
  const more = Array.from({ length: lanes - 1 }, (_, index) => fault.addDevice(`lane-${index + 2}`));
  devices = [fault.device, ...(await Promise.all(more))];
}, 300_000);
afterAll(async () => {
  await Promise.all(devices.slice(1).map((device) => device.stop()));
  history?.close();
  await fault?.stop();
}, 120_000);

it(
  `${runs} random schedules of faults and requests: every history says what the model allows`,
  { timeout: 300_000 + runs * 30_000 },
  async () => {
    const place: SchedulePlace = { fault, shared: new SharedFaults(fault), history };
    const began = performance.now();
    const failures: string[] = [];
    const beside = new Set<number>();
    let played = 0;

    const play = async (seed: number, device: LocalDevice): Promise<void> => {
      const steps = scheduleOf(seed);
      const lane = new ScheduleLane(place, device);
      const model = newModel();
      const since = performance.now();
      const seconds = () => `${((performance.now() - since) / 1000).toFixed(1)} s`;
      beside.add(seed);
      try {
        await lane.open(model);
        await fc.asyncModelRun(() => ({ model, real: lane }), steps);
        const ends = await lane.settle(model);
        played += 1;
        say(
          `seed ${seed}: ${steps.length} steps, ${seconds()}, ${JSON.stringify(ends)} (${played} of ${runs})`,
        );
      } catch (error) {
        const others = [...beside].filter((one) => one !== seed).join(', ');
        const replay = (from: number, count: number) =>
          `FAULT_SEED=${from} FAULT_SCHEDULES=${count} FAULT_LOSSES=${withLosses ? 1 : 0} npm run test:nightly`;
        failures.push(
          [
            `seed ${seed} failed after ${seconds()}. Again: ${replay(seed, 1)}`,
            `With what ran beside it (${others}): ${replay(baseSeed, seed - baseSeed + lanes)}`,
            ...steps.map(String),
            error instanceof Error ? (error.stack ?? error.message) : String(error),
          ].join('\n'),
        );
        say(failures.at(-1) ?? '');
      } finally {
        beside.delete(seed);
      }
    };

    const left = seeds();
    const playOn = async (device: LocalDevice): Promise<void> => {
      // One failure may be the cause of the next: what followed would only bury it.
      for (let next = left.next(); next.done !== true && failures.length === 0; next = left.next())
        await play(next.value, device);
    };
    await Promise.all(devices.map(playOn));
    say(
      `${played} schedules, seeds from ${baseSeed} on: ${Math.round((performance.now() - began) / 1000)} s`,
    );
    expect(failures.join('\n\n')).toBe('');

    await place.shared.heal();
    const streams = await eventually('all slots are given back', async () => {
      const now = await history.streams();
      return leakedSlots(now).length === 0 && now;
    });
    expect(storeFaults(streams)).toEqual([]);
    expect(await history.deadLetters()).toEqual([]);
    for (const { deviceId } of devices) expect(await brokerDeadLetters(fault.cloud, deviceId)).toEqual([]);
    expect(await settled(() => Promise.resolve(orphansOf(fault.mark)))).toEqual([]);
  },
);
