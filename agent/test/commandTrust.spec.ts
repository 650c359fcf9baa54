import { describe, expect, it } from 'vitest';
import type { DownwardPayload, KeySet } from '../../contracts/device.ts';
import { keySetHash, signKeySet, signPayload } from '../../evidence/commandSignature.ts';
import { CommandTrust, KeysUnavailable } from '../service/commandTrust.ts';
import { newCommandKey } from './support/commandKey.ts';

const [one, two, three] = [newCommandKey('1'), newCommandKey('2'), newCommandKey('3')];
const first = await signKeySet({ version: 1, keys: [one.jwk], previousHash: null }, one);
const second = await signKeySet({ version: 2, keys: [two.jwk], previousHash: keySetHash(first) }, one);
const third = await signKeySet({ version: 3, keys: [three.jwk], previousHash: keySetHash(second) }, two);
const close: DownwardPayload = {
  v: 1,
  messageId: 'm',
  tenantId: 't',
  deviceId: 'd',
  sessionId: 's',
  epoch: 1,
  kind: 'session.close',
  body: { reason: 'x' },
};

const trustIn = (offered: () => Promise<readonly KeySet[]>) => {
  const saved: number[] = [];
  let fetches = 0;
  const trust = new CommandTrust(
    first,
    () => {
      fetches += 1;
      return offered();
    },
    ({ version }) => saved.push(version),
  );
  return { trust, saved, fetches: () => fetches };
};

describe('trust in command keys', () => {
  it('asks for nothing while it knows the key', async () => {
    const { trust, fetches } = trustIn(async () => []);
    expect(await trust.verify(await signPayload(close, one))).toEqual(close);
    expect(fetches()).toBe(0);
  });

  it('walks over several rotations at once and forgets old keys', async () => {
    const { trust, saved } = trustIn(async () => [third, first, second]);
    expect(await trust.verify(await signPayload(close, three))).toEqual(close);
    expect(saved).toEqual([3]);
    await expect(trust.verify(await signPayload(close, one))).rejects.toThrow();
  });

  it('does not follow a set that the trusted key did not sign, or a chain with a hole', async () => {
    const forged = await signKeySet(
      { version: 2, keys: [three.jwk], previousHash: keySetHash(first) },
      three,
    );
    for (const offered of [[forged], [third]]) {
      const { trust, saved } = trustIn(async () => offered);
      await expect(trust.verify(await signPayload(close, three))).rejects.toThrow();
      expect(saved).toEqual([]);
      expect(await trust.verify(await signPayload(close, one))).toEqual(close);
    }
  });

  it('tells a refusal from not knowing', async () => {
    const { trust } = trustIn(async () => {
      throw new Error('offline');
    });
    await expect(trust.verify(await signPayload(close, two))).rejects.toBeInstanceOf(KeysUnavailable);
    const spoiled = (await signPayload(close, one)).replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    await expect(trust.verify(`${spoiled.slice(0, -8)}AAAAAAAA`)).rejects.not.toBeInstanceOf(KeysUnavailable);
  });
});
