import { afterAll, beforeAll, expect, it } from 'vitest';
import { containers } from '../../local/cloud.ts';
import { storeControl, type StoreFault } from '../../local/cosmos/storeControl.ts';
import { type BrokenCloud, endsOf, startBrokenCloud } from '../support/brokenCloud.ts';
import { openFaultSession } from '../support/faultCloud.ts';
import { brokerDeadLetters, leakedSlots, storeFaults } from '../support/faultHistory.ts';
import { startLoad } from '../support/faultLoad.ts';
import { eventually } from '../support/responders.ts';

const patienceMs = 120_000;
const always = { forMs: patienceMs };

/** What the service may do to any request at any time, with its usual hints; the share of each. */
const weather: readonly StoreFault[] = [
  // Only reads that ask for less than the account's consistency can meet these.
  ...['readItem', 'query', 'listItems', 'changeFeed'].map((kind) => ({
    kind,
    stale: true,
    lag: 3,
    probability: 0.5,
    ...always,
  })),
  { kind: '*', status: 429, retryAfterMs: 30, probability: 0.1, ...always },
  { kind: '*', status: 503, probability: 0.05, ...always },
  { kind: '*', status: 410, probability: 0.05, ...always },
  { kind: '*', status: 449, probability: 0.05, ...always },
  { kind: '*', cut: 'before', probability: 0.02, ...always },
  { kind: '*', cut: 'after', probability: 0.02, ...always },
];

let broken: BrokenCloud;
beforeAll(async () => {
  broken = await startBrokenCloud('store-faults', { patienceMs });
});
afterAll(() => broken.stop());

it('a store that throttles, refuses, cuts connections, lags and splits costs no command and runs none twice', async () => {
  const { fault, client, history } = broken;
  const store = storeControl(fault.cloud.cosmos);
  const session = await openFaultSession(client, fault.device.deviceId);
  await broken.requireWorking(session.sessionId);
  await store.set(weather);
  const load = startLoad(client, session.sessionId, { lines: ['dir /', 'dir /etc'] });
  for (let round = 1; round <= 3; round += 1) {
    const enough = load.accepted.size + 8;
    await eventually('commands are on their way', async () => load.accepted.size >= enough, patienceMs);
    // Three times over: clients still hold the ranges from before when these are cut again.
    for (const { id } of containers) await store.split('live-response', id);
  }
  const met = await store.list();
  await store.set([]);
  const events = await broken.requireSound(session, load);
  process.stdout.write(
    `store faults: ${JSON.stringify(endsOf(events))}, met ${met.map(({ kind, status, cut, met: times }) => `${status ?? cut ?? `stale ${kind}`} ${times}`).join(', ')}\n`,
  );
  expect(load.unanswered).toEqual(new Map());
  expect(Object.keys(endsOf(events))).toEqual(['Completed']);
  expect(met.filter(({ stale, met: times }) => stale !== true && times === 0)).toEqual([]);
  // Nothing in the app reads weakly, so nothing can be decided on, or shown from, a replica that lags.
  expect(met.filter(({ stale, met: times }) => stale === true && times > 0)).toEqual([]);
  await broken.requireWorking(session.sessionId);
  await client.disconnect(session.sessionId);
  const streams = await eventually('the slot is given back', async () => {
    const now = await history.streams();
    return leakedSlots(now).length === 0 && now;
  });
  expect(storeFaults(streams)).toEqual([]);
  expect(await history.deadLetters()).toEqual([]);
  expect(await brokerDeadLetters(fault.cloud, fault.device.deviceId)).toEqual([]);
});
