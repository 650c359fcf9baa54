import { randomUUID } from 'node:crypto';
import { beforeAll, expect, inject, it } from 'vitest';
import { type SlotHolder, type SlotsEvent, slots, slotsStream } from '../../domain/slots/index.ts';
import { chainFaults } from '../../evidence/hashChain.ts';
import { type EnrolledDevice, enrolDevices } from '../support/enrolledDevices.ts';
import { type RawAnswer, type RawUser, rawUser } from '../support/rawCalls.ts';
import { responder } from '../support/responders.ts';
import { storedEvents } from '../support/storedItems.ts';

const runs = 20;
const perUser = 10;
const perTenant = 25;

let devices: readonly EnrolledDevice[] = [];
let users: readonly RawUser[] = [];

const deviceId = (index: number): string => devices[index]?.deviceId ?? '';

const sessionIdsOf = (answers: readonly RawAnswer[]): readonly string[] =>
  answers.filter(({ status }) => status === 201).map(({ body }) => String(body['sessionId']));

const closeAll = async (sessionIds: readonly string[]): Promise<void> => {
  const ana = responder('ana');
  const closed = await Promise.all(sessionIds.map((sessionId) => ana.disconnect(sessionId)));
  expect(closed.map(({ end }) => end)).toEqual(sessionIds.map(() => 'Disconnected'));
};

beforeAll(async () => {
  users = ['ana', 'ben', 'cleo'].map((name) => rawUser(name));
  await Promise.all(users.map((user) => user.token()));
  devices = await enrolDevices(3 * perUser, 'racing');
});

it(
  `lets exactly ${perTenant} of 30 openers in, in every one of ${runs} races`,
  {
    timeout: 180_000,
  },
  async () => {
    expect(inject('cloud').appProcesses).toHaveLength(2);
    for (let run = 1; run <= runs; run += 1) {
      const answers = await Promise.all(
        devices.map((device, index) => {
          const user = users[index % users.length];
          if (user === undefined) throw new Error('no user');
          return user.open(device.deviceId);
        }),
      );
      const won = sessionIdsOf(answers);
      const refused = answers.filter(({ status }) => status !== 201);
      try {
        expect(new Set(won).size, `run ${run}: ${answers.map(({ status }) => status).join(' ')}`).toBe(
          perTenant,
        );
        expect(
          refused.map(({ status, body }) => ({ status, code: body['code'], limit: body['limit'] })),
        ).toEqual(
          Array.from({ length: 5 }, () => ({ status: 409, code: 'TENANT_SESSION_LIMIT', limit: perTenant })),
        );
      } finally {
        await closeAll(won);
      }
    }
  },
);

it('lets one of two openers onto a device and tells the other who holds it', async () => {
  const [ana, ben] = users as readonly [RawUser, RawUser, RawUser];
  for (let run = 1; run <= 10; run += 1) {
    const answers = await Promise.all([ana.open(deviceId(0)), ben.open(deviceId(0))]);
    const won = answers.find(({ status }) => status === 201);
    const lost = answers.find(({ status }) => status !== 201);
    try {
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
      expect(lost?.body).toMatchObject({
        code: 'DEVICE_SESSION_LIMIT',
        limit: 1,
        sessionId: won?.body['sessionId'],
        userId: won?.body['userId'],
      });
    } finally {
      await closeAll(sessionIdsOf(answers));
    }
  }
});

it('refuses the eleventh session of one user and frees a slot when one is closed', async () => {
  const [ana] = users as readonly [RawUser, RawUser, RawUser];
  const open: string[] = [];
  try {
    for (let index = 0; index < perUser; index += 1) {
      const { status, body } = await ana.open(deviceId(index));
      expect(status).toBe(201);
      open.push(String(body['sessionId']));
    }
    const eleventh = await ana.open(deviceId(perUser));
    expect(eleventh.status).toBe(409);
    expect(eleventh.body).toMatchObject({ code: 'USER_SESSION_LIMIT', limit: perUser });
    expect([...(eleventh.body['sessionIds'] as string[])].sort()).toEqual([...open].sort());
    await closeAll(open.splice(0, 1));
    const again = await ana.open(deviceId(perUser));
    expect(again.status).toBe(201);
    open.push(String(again.body['sessionId']));
  } finally {
    await closeAll(open);
  }
});

it('gives the same key the same session, and the same key with another request nothing', async () => {
  const [ana, ben] = users as readonly [RawUser, RawUser, RawUser];
  const sessionId = randomUUID();
  const answers = await Promise.all(Array.from({ length: 5 }, () => ana.open(deviceId(0), sessionId)));
  try {
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 201]);
    expect(new Set(answers.map(({ body }) => body['sessionId']))).toEqual(new Set([sessionId]));
    for (const mismatch of [await ana.open(deviceId(1), sessionId), await ben.open(deviceId(0), sessionId)]) {
      expect(mismatch.status).toBe(409);
      expect(mismatch.body['code']).toBe('IDEMPOTENCY_MISMATCH');
    }
    expect((await responder('ana').session(sessionId)).version).toBe(1);
  } finally {
    await closeAll([sessionId]);
  }
});

it('has never, at any version of the record, let more in than the limits allow', async () => {
  const tenantId = inject('cloud').tenants[0]?.id ?? '';
  const streamId = slotsStream(tenantId);
  const events = await storedEvents(tenantId, streamId);
  expect(events.length).toBeGreaterThan(2 * runs * perTenant);
  expect(chainFaults(streamId, events)).toEqual([]);
  let state = slots.initialState;
  let most = 0;
  const epochs: number[] = [];
  for (const envelope of events) {
    const event = envelope as unknown as SlotsEvent & { readonly version: number };
    state = slots.evolve(state, event);
    const holders = Object.values(state.holders);
    const atMost = (of: (holder: SlotHolder) => string): number =>
      Math.max(0, ...Object.values(Object.groupBy(holders, of)).map((group) => group?.length ?? 0));
    most = Math.max(most, holders.length);
    expect([event.version, atMost(({ deviceId: id }) => id) <= 1]).toEqual([event.version, true]);
    expect([event.version, atMost(({ userId }) => userId) <= perUser]).toEqual([event.version, true]);
    if (event.type === 'SlotTaken') epochs.push(event.data.epoch);
  }
  expect(most).toBe(perTenant);
  expect(state.holders).toEqual({});
  expect(epochs).toEqual(epochs.map((_, index) => index + 1));
});
