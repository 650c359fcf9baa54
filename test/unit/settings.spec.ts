import { describe, expect, it } from 'vitest';
import { type DeviceCommand, device } from '../../domain/device/index.ts';
import { defaultLimits, effectiveLimits, limitBounds, limitProfiles } from '../../domain/limits.ts';
import { refuseSwitchedOff, type SettingsEvent, settings } from '../../domain/settings/index.ts';
import { refusalOf, specification } from '../support/given.ts';

const { given } = specification(settings);
const created = (uses = 1): SettingsEvent => ({
  type: 'EnrolmentTokenCreated',
  data: {
    tokenId: 't1',
    tokenHash: 'h1',
    description: '',
    uses,
    expiresAt: '2026-01-02',
    by: 'ana',
    at: '2026-01-01',
  },
});
const use = (deviceId: string, now = '2026-01-01T12', tokenHash = 'h1') =>
  ({ type: 'UseEnrolmentToken', tokenHash, deviceId, now }) as const;

describe('enrolment tokens', () => {
  it('are counted, and free for a device that used them before', () => {
    const used: SettingsEvent = {
      type: 'EnrolmentTokenUsed',
      data: { tokenId: 't1', deviceId: 'd1', at: '2026-01-01T12' },
    };
    given(created()).when(use('d1')).then(used);
    given(created(), used).when(use('d1')).thenNothing();
    given(created(), used).when(use('d2')).thenRefuses('ENROLMENT_TOKEN_INVALID');
  });
  it('expire, can be revoked, and answer alike for every reason', () => {
    const expired = given(created()).when(use('d1', '2026-01-02')).thenRefuses('ENROLMENT_TOKEN_INVALID');
    const unknown = given(created())
      .when(use('d1', '2026-01-01T12', 'guess'))
      .thenRefuses('ENROLMENT_TOKEN_INVALID');
    expect(expired?.message).toBe(unknown?.message);
    given(created(), { type: 'EnrolmentTokenRevoked', data: { tokenId: 't1', by: 'ana', at: '2026-01-01' } })
      .when(use('d1'))
      .thenRefuses('ENROLMENT_TOKEN_INVALID');
  });
});

describe('limits', () => {
  it('are the product’s until a tenant changes them, within bounds', () => {
    expect(effectiveLimits({})).toEqual(defaultLimits);
    expect(effectiveLimits({ idle: 60 }).idle).toBe(60);
    expect(effectiveLimits({ openSessionsPerTenant: 1_000_000 }).openSessionsPerTenant).toBe(
      limitBounds.openSessionsPerTenant.ceiling,
    );
    given()
      .when({ type: 'ChangeLimits', limits: { idle: 1 }, by: 'cleo', now: 't' })
      .thenRefuses('LIMIT_OUT_OF_BOUNDS');
    given()
      .when({ type: 'ChangeLimits', limits: { idle: 60 }, by: 'cleo', now: 't' })
      .thenTypes('LimitsChanged');
    given({ type: 'LimitsChanged', data: { limits: { idle: 60 }, by: 'cleo', at: 't' } })
      .when({ type: 'ChangeLimits', limits: { idle: 60 }, by: 'cleo', now: 't' })
      .thenNothing();
  });
  it('are those of the field', () => {
    expect(defaultLimits).toMatchObject({
      openSessionsPerTenant: 25,
      openSessionsPerUser: 10,
      idle: 1_800,
      command: 600,
      longCommand: 1_800,
      connect: 180,
      collectedFile: 3_221_225_472,
    });
    expect(limitProfiles['defender-2026']).toMatchObject({
      openSessionsPerTenant: 50,
      openSessionsPerUser: 5,
    });
  });
});

describe('devices', () => {
  const enrol: DeviceCommand = {
    type: 'EnrolDevice',
    deviceId: 'd1',
    name: 'web-1',
    platform: 'linux',
    osVersion: '12',
    agentVersion: '1',
    publicKey: { kty: 'OKP', crv: 'Ed25519', x: 'k' },
    kid: 'k1',
    bucket: 5,
    enrolmentTokenId: 't1',
    now: 't',
  };
  const spec = specification(device);
  it('enrol once and stay retired', () => {
    const enrolled = spec.given().when(enrol).events();
    expect(enrolled.map(({ type }) => type)).toEqual(['DeviceEnrolled']);
    spec
      .given(...enrolled)
      .when(enrol)
      .thenNothing();
    const retired = spec
      .given(...enrolled)
      .when({ type: 'RetireDevice', by: 'ana', reason: 'x', now: 't' })
      .events();
    expect(spec.given(...enrolled, ...retired).state()).toMatchObject({ status: 'retired', retiredAt: 't' });
    spec
      .given(...enrolled, ...retired)
      .when(enrol)
      .thenRefuses('DEVICE_RETIRED');
    spec
      .given(...enrolled, ...retired)
      .when({ type: 'RetireDevice', by: 'ana', reason: 'x', now: 't' })
      .thenNothing();
  });
});

describe('switches', () => {
  const linux = { platform: 'linux', osVersion: 'Debian GNU/Linux 12' };
  const laptop = { platform: 'windows', osVersion: 'Windows 11 Pro' };
  const server = { platform: 'windows', osVersion: 'Windows Server 2022' };
  const off = (switches: object): SettingsEvent => ({
    type: 'SwitchesChanged',
    data: { switches, by: 'cleo', at: 't' },
  });
  const refusal = (event: SettingsEvent | undefined, device: Parameters<typeof refuseSwitchedOff>[1]) =>
    refusalOf(() => refuseSwitchedOff(given(...(event === undefined ? [] : [event])).state(), device))?.code;

  it('keep sessions away from everything, or from servers only', () => {
    for (const device of [linux, laptop, server]) {
      expect(refusal(undefined, device)).toBeUndefined();
      expect(refusal(off({ liveResponse: false }), device)).toBe('LIVE_RESPONSE_OFF');
    }
    expect(refusal(off({ servers: false }), linux)).toBe('LIVE_RESPONSE_OFF');
    expect(refusal(off({ servers: false }), server)).toBe('LIVE_RESPONSE_OFF');
    expect(refusal(off({ servers: false }), laptop)).toBeUndefined();
  });
  it('believe a device that said what it is', () => {
    const workstation = { ...linux, kind: 'workstation' } as const;
    expect(refusal(off({ servers: false }), workstation)).toBeUndefined();
    expect(refusal(off({ servers: false }), { ...laptop, kind: 'server' })).toBe('LIVE_RESPONSE_OFF');
    expect(refusal(off({ liveResponse: false }), workstation)).toBe('LIVE_RESPONSE_OFF');
  });
});

describe('trusted signers', () => {
  const signer = {
    keyId: 'k1',
    name: 'Release',
    algorithm: 'Ed25519',
    publicKey: 'spki',
    by: 'ana',
  } as const;
  const trust = { type: 'TrustSigner', ...signer, now: '2026-01-01' } as const;
  const trusted: SettingsEvent = { type: 'SignerTrusted', data: { ...signer, at: '2026-01-01' } };
  const distrust = { type: 'DistrustSigner', keyId: 'k1', by: 'ana', now: '2026-01-02' } as const;

  it('are trusted and distrusted, each once', () => {
    given().when(trust).then(trusted);
    given(trusted).when(trust).thenNothing();
    given(trusted)
      .when({ ...trust, name: 'Release team' })
      .thenTypes('SignerTrusted');
    given(trusted).when(distrust).thenTypes('SignerDistrusted');
    given().when(distrust).thenNothing();
    expect(given(trusted).when(distrust).state().signers).toEqual({});
  });

  it('are at most 50', () => {
    const many = Array.from({ length: 50 }, (_, index): SettingsEvent => ({
      type: 'SignerTrusted',
      data: { ...signer, keyId: `k${index}`, at: '2026-01-01' },
    }));
    given(...many)
      .when({ ...trust, keyId: 'other' })
      .thenRefuses('SIGNER_LIMIT');
  });
});
