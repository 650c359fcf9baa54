import { afterAll, beforeAll, expect, it } from 'vitest';
import { faultControl } from '../../local/service-bus/faultControl.ts';
import type { FaultRequest } from '../../local/service-bus/faults.ts';
import { type BrokenCloud, endsOf, startBrokenCloud } from '../support/brokenCloud.ts';
import { openFaultSession, setLimits } from '../support/faultCloud.ts';
import { brokerDeadLetters, endOf, listed } from '../support/faultHistory.ts';
import { startLoad } from '../support/faultLoad.ts';
import { eventually } from '../support/responders.ts';

const patienceMs = 120_000;
const up = 'devices/messages';
const down = 'device-*';

/** What a broker may do to messages without breaking its promises: at least once, and no order of what was sent twice. */
const faults: readonly FaultRequest[] = [
  { at: 'send', do: 'duplicate', entity: up, times: 3 },
  { at: 'send', do: 'delay', entity: up, times: 3, delayMs: 700 },
  { at: 'send', do: 'reorder', entity: up, times: 3, delayMs: 700 },
  { at: 'send', do: 'throttle', entity: up, times: 2 },
  { at: 'send', do: 'loseAnswer', entity: up, times: 1 },
  { at: 'send', do: 'cutAfter', entity: up, times: 1 },
  { at: 'deliver', do: 'duplicate', entity: up, times: 3 },
  { at: 'settle', do: 'lockLost', entity: up, times: 1 },
  { at: 'send', do: 'duplicate', entity: down, times: 3 },
  { at: 'send', do: 'throttle', entity: down, times: 1 },
  { at: 'deliver', do: 'duplicate', entity: down, times: 3 },
  { at: 'settle', do: 'loseAnswer', entity: down, times: 2 },
  { at: 'settle', do: 'cutBefore', entity: down, times: 1 },
];

let broken: BrokenCloud;
beforeAll(async () => {
  broken = await startBrokenCloud('broker-faults', { patienceMs });
});
afterAll(() => broken.stop());

it('a broker that repeats, delays, reorders, throttles and forgets to answer costs no command and runs none twice', async () => {
  const { fault, client, history } = broken;
  const { hosts, rule } = fault.cloud.serviceBus;
  const controls = hosts.map((host) => faultControl(host, rule));
  const session = await openFaultSession(client, fault.device.deviceId);
  await broken.requireWorking(session.sessionId);
  await Promise.all(controls.map((control) => control.set(faults)));
  const load = startLoad(client, session.sessionId, { lines: ['dir /', 'dir /etc'] });
  // The device lives in one of the two namespaces; the other one meets nothing.
  const left = await eventually(
    'every fault has struck',
    async () => {
      const lists = await Promise.all(controls.map((control) => control.list()));
      const unmet = lists.map((list) => list.filter(({ times }) => times !== 0));
      return unmet.some((list) => list.length === 0) && unmet;
    },
    patienceMs,
  );
  expect(left.map((list) => list.length).toSorted((a, b) => a - b)).toEqual([0, faults.length]);
  await Promise.all(controls.map((control) => control.set([])));
  const events = await broken.requireSound(session, load);
  process.stdout.write(`broker faults: ${JSON.stringify(endsOf(events))}\n`);
  expect(load.unanswered).toEqual(new Map());
  expect(Object.keys(endsOf(events))).toEqual(['Completed']);
  await broken.requireWorking(session.sessionId);
  await client.disconnect(session.sessionId);
  expect(await history.deadLetters()).toEqual([]);
  expect(await brokerDeadLetters(fault.cloud, fault.device.deviceId)).toEqual([]);
});

it('a broker that loses messages: what is lost on its way down comes again, what is lost on its way up is told', async () => {
  const { fault, client, history } = broken;
  const { hosts, rule } = fault.cloud.serviceBus;
  const controls = hosts.map((host) => faultControl(host, rule));
  // A lost word of the device is waited for this long.
  await setLimits(fault.cloud, { startWithin: 8, command: 5 });
  const session = await openFaultSession(client, fault.device.deviceId);
  const { sessionId } = session;
  await broken.requireWorking(sessionId);
  const commandIds: string[] = [];
  const under = async (losses: readonly FaultRequest[]): Promise<void> => {
    await Promise.all(controls.map((control) => control.set(losses)));
    const { commandId } = await client.issueCommand(sessionId, 'dir / &', { wait: 60 });
    commandIds.push(commandId);
  };
  await under([{ at: 'send', do: 'drop', entity: down }]);
  await under([{ at: 'settle', do: 'drop', entity: down }]);
  await under([{ at: 'send', do: 'drop', entity: up }]);
  await under([]);
  const events = await broken.requireSound(session, {
    accepted: new Set(commandIds),
    refused: new Set(),
    unanswered: new Map(),
    stop: async () => undefined,
  });
  const ran = new Set(fault.executions());
  expect(
    commandIds.map((commandId) => [endOf(events, commandId), ran.has(commandId)]),
    listed(events),
  ).toEqual([
    ['Completed', true],
    ['Completed', true],
    ['Lost', true],
    ['Completed', true],
  ]);
  // The number that never came is on record: nobody can say later that the device was silent.
  expect(events.filter(({ type }) => type === 'SequenceGapRecorded')).toHaveLength(1);
  await client.disconnect(sessionId);
  expect(await history.deadLetters()).toEqual([]);
  expect(await brokerDeadLetters(fault.cloud, fault.device.deviceId)).toEqual([]);
});
