import { expect, inject, it } from 'vitest';
import { ApiError } from '../../sdk/index.ts';
import { aKeyPair, requestEnrolment } from '../support/enrolledDevices.ts';
import { responder } from '../support/responders.ts';

it('takes a profile of limits, and single limits over it', async () => {
  const eve = responder('eve', 'fabrikam');
  const { limits: before } = await eve.settings();
  try {
    const { limits } = await eve.changeSettings({ profile: 'defender-2026', limits: { idle: 60 } });
    expect(limits).toMatchObject({ openSessionsPerTenant: 50, openSessionsPerUser: 5, idle: 60 });
    expect((await eve.changeSettings({ profile: 'default' })).limits).toEqual(before);
  } finally {
    await eve.changeSettings({ limits: before });
  }
  await expect(eve.changeSettings({ profile: 'none' as 'default' })).rejects.toMatchObject({
    code: 'BODY_INVALID',
  });
});

it.each([{ liveResponse: false }, { servers: false }])(
  'keeps sessions away from this machine under %o',
  async (off) => {
    const [cleo, ana] = [responder('cleo'), responder('ana')];
    const { deviceId } = inject('cloud').device;
    const { switches: before } = await cleo.settings();
    await cleo.changeSettings({ switches: off });
    try {
      const refused = await ana.openSession({ deviceId, reason: 'test' }).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(ApiError);
      expect(refused).toMatchObject({ status: 403, code: 'LIVE_RESPONSE_OFF' });
    } finally {
      await cleo.changeSettings({ switches: before });
    }
    const { sessionId } = await ana.openSession({ deviceId, reason: 'test' });
    expect((await ana.disconnect(sessionId)).status).toBe('ended');
  },
);

it('lets a device in that says it is a workstation, when servers are switched off', async () => {
  const [cleo, ana] = [responder('cleo'), responder('ana')];
  const { token } = await ana.createEnrolmentToken({ uses: 1 });
  const { body } = await requestEnrolment(token, aKeyPair(), 'laptop', { kind: 'workstation' });
  const { deviceId } = body as { readonly deviceId: string };
  expect(await ana.device(deviceId)).toMatchObject({ kind: 'workstation', platform: 'linux' });
  const { switches: before } = await cleo.settings();
  await cleo.changeSettings({ switches: { servers: false } });
  try {
    const { sessionId } = await ana.openSession({ deviceId, reason: 'test' });
    expect((await ana.disconnect(sessionId)).status).toBe('ended');
  } finally {
    await cleo.changeSettings({ switches: before });
  }
});
