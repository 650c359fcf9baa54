import { randomUUID } from 'node:crypto';
import type { InvocationContext } from '@azure/functions';
import { expect, it } from 'vitest';
import { effectiveLimits } from '../../domain/limits.ts';
import { type SessionCommand, sessionStream } from '../../domain/session/index.ts';
import type { Services } from '../../functions/services.ts';
import type { Surroundings } from '../../functions/streams/decideAndAppend.ts';
import { bySystem } from '../../functions/streams/metadata.ts';
import { onSession, onSlots, readSession, readSlots } from '../../functions/streams/streams.ts';
import { reconcile } from '../../functions/timers/reconcile.ts';
import { MemoryEventStore } from '../support/memoryEventStore.ts';

const tenantId = 'tenant';
const deviceId = 'device';
const limits = effectiveLimits({});

/** A tenant in which an opener took a slot and died before it requested the session. Time stands until it is moved. */
const abandonedOpening = async () => {
  let elapsedMs = 0;
  const surroundings: Surroundings = {
    now: () => new Date(Date.UTC(2026, 0, 1) + elapsedMs).toISOString(),
    elapsed: () => elapsedMs,
    random: () => 0.5,
    sleep: () => Promise.resolve(),
    passes: () => undefined,
  };
  // All that reconciliation touches as long as no session exists.
  const services = {
    store: new MemoryEventStore(),
    surroundings,
    tenants: [tenantId],
  } as unknown as Services;
  const metadata = bySystem('test');
  const sessionId = randomUUID();
  const takeSlot = (holder: string) =>
    onSlots(services, tenantId, metadata, (now) => ({
      type: 'TakeSlot',
      sessionId: holder,
      deviceId,
      userId: 'ana',
      limits,
      now,
    }));
  const requestSession = () =>
    onSession(services, tenantId, sessionId, metadata, (now): SessionCommand => ({
      type: 'RequestSession',
      sessionId,
      deviceId,
      userId: 'ana',
      userName: 'Ana',
      epoch: 1,
      reason: 'test',
      platform: 'linux',
      limits,
      requestHash: 'a'.repeat(64),
      now,
    }));
  await takeSlot(sessionId);
  return {
    services,
    sessionId,
    takeSlot,
    requestSession,
    reconcileAfter: async (seconds: number) => {
      elapsedMs = seconds * 1000;
      await reconcile(services)({ warn: () => undefined } as unknown as InvocationContext);
    },
    holders: async () => Object.keys((await readSlots(services, tenantId)).state.holders),
  };
};

it('keeps a slot for two minutes for an opener that may still come', async () => {
  const { reconcileAfter, holders, sessionId, services, requestSession } = await abandonedOpening();
  await reconcileAfter(119.999);
  expect(await holders()).toEqual([sessionId]);
  expect((await readSession(services, tenantId, sessionId)).version).toBe(0);
  await requestSession();
  expect((await readSession(services, tenantId, sessionId)).state.status).toBe('opening');
});

it('frees the slot of an opener that did not come, behind a fence that a late opener cannot pass', async () => {
  const { reconcileAfter, holders, sessionId, services, requestSession, takeSlot } = await abandonedOpening();
  await reconcileAfter(120);
  expect(await holders()).toEqual([]);
  const [fence, ...more] = await services.store.read(tenantId, sessionStream(sessionId), 0, 10);
  expect(fence).toMatchObject({ version: 1, type: 'SessionAbandoned', data: { sessionId, deviceId } });
  expect(more).toEqual([]);
  await expect(requestSession()).rejects.toMatchObject({ code: 'SESSION_ABANDONED' });
  // The device is free for somebody else, with a higher epoch.
  const next = randomUUID();
  const { head } = await takeSlot(next);
  expect(head.state.holders).toMatchObject({ [next]: { epoch: 2 } });
});

it('changes nothing when it runs again', async () => {
  const { reconcileAfter, sessionId, services } = await abandonedOpening();
  await reconcileAfter(120);
  const versions = async () => [
    (await readSlots(services, tenantId)).version,
    (await readSession(services, tenantId, sessionId)).version,
  ];
  const before = await versions();
  await reconcileAfter(300);
  expect(await versions()).toEqual(before);
});
