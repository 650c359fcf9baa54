import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DevicePublicKey, DownwardPayload, KeySet, UpwardMessage } from '../../contracts/device.ts';
import {
  keySetHash,
  type SigningKey,
  signKeySet,
  signPayload,
  verifyPayload,
  walkKeySets,
} from '../../evidence/commandSignature.ts';
import { deviceIdOf, isSignedBy, signMessage } from '../../evidence/deviceSignature.ts';
import { chainFaults, hashOf, sealEvents, streamSeed } from '../../evidence/hashChain.ts';

const seal = (count: number) =>
  sealEvents(
    't',
    's',
    { version: 0, hash: streamSeed('s') },
    Array.from({ length: count }, (_, index) => ({
      type: 'Happened',
      data: { index, text: 'ä\u0000\u202e' },
    })),
    {
      actor: { kind: 'system', id: 'x', name: 'X' },
      correlationId: 'c',
      causationId: 'c',
      traceparent: null,
      recordedAt: '2026-01-01T00:00:00.000Z',
    },
  );

describe('hash chain', () => {
  it('holds for what was sealed and survives a trip through JSON', () => {
    expect(chainFaults('s', JSON.parse(JSON.stringify(seal(5))))).toEqual([]);
  });
  it('breaks for any change, removal or exchange', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 6 }),
        fc.nat(5),
        fc.constantFrom('data', 'type', 'actor', 'time', 'drop', 'swap', 'version'),
        (count, at, how) => {
          const events = structuredClone(seal(count)) as unknown as Record<string, never>[];
          const index = at % (how === 'drop' || how === 'swap' ? count - 1 : count);
          const target = events[index] as unknown as {
            data: { index: number };
            type: string;
            version: number;
            metadata: { actor: { id: string }; recordedAt: string };
          };
          if (how === 'data') target.data.index += 1;
          if (how === 'type') target.type = 'Other';
          if (how === 'actor') target.metadata.actor.id = 'someone else';
          if (how === 'time') target.metadata.recordedAt = '2026-01-01T00:00:00.001Z';
          if (how === 'version') target.version += 1;
          if (how === 'drop') events.splice(index, 1);
          if (how === 'swap') events.splice(index, 2, events[index + 1] as never, events[index] as never);
          expect(chainFaults('s', events as never)).not.toEqual([]);
        },
      ),
    );
  });
});

/** What somebody does who changes an event and can count: its own hash is right again. */
const resealed = (
  events: ReturnType<typeof seal>,
  at: number,
  change: Partial<(typeof events)[number]>,
): ReturnType<typeof seal> =>
  events.map((event, index) => {
    if (index !== at) return event;
    const { hash: _, ...unsealed } = { ...event, ...change };
    return { ...unsealed, hash: hashOf(unsealed) };
  });

describe('hash chain against forgery', () => {
  it('breaks behind an event that was sealed anew', () => {
    const type = 'Other';
    expect(chainFaults('s', resealed(seal(3), 1, { type }))).toEqual([
      { version: 3, fault: 'does not follow the event before it' },
    ]);
  });
  it('breaks when versions are skipped, although every link holds', () => {
    expect(chainFaults('s', resealed(seal(2), 1, { version: 3, id: '0000000003' }))).toEqual([
      { version: 2, fault: 'has version 3 in the place of 2' },
    ]);
  });
});

describe('device messages', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const jwk = publicKey.export({ format: 'jwk' }) as unknown as DevicePublicKey;
  const message: Omit<UpwardMessage, 'signature'> = {
    v: 1,
    messageId: 'm1',
    tenantId: 't',
    deviceId: 'd',
    sessionId: 's',
    kid: 'k',
    run: 'r',
    sequence: 3,
    previousRun: null,
    previousLast: 0,
    kind: 'command.ended',
    body: { commandId: 'c', text: 'ß' },
  };
  it('are believed as they were signed, and not otherwise', () => {
    const signed = signMessage(message, privateKey);
    expect(isSignedBy(JSON.parse(JSON.stringify(signed)), jwk)).toBe(true);
    for (const change of [
      { sequence: 4 },
      { run: 'x' },
      { sessionId: 'other' },
      { deviceId: 'other' },
      { body: { commandId: 'c2' } },
      { kind: 'x' },
    ]) {
      expect(isSignedBy({ ...signed, ...change }, jwk)).toBe(false);
    }
    const other = generateKeyPairSync('ed25519').publicKey.export({
      format: 'jwk',
    }) as unknown as DevicePublicKey;
    expect(isSignedBy(signed, other)).toBe(false);
    expect(isSignedBy({ ...signed, signature: '' }, jwk)).toBe(false);
  });
  it('come from devices whose id follows from tenant and key', () => {
    expect(deviceIdOf('t1', jwk)).toMatch(/^[0-9a-f]{40}$/);
    expect(deviceIdOf('t1', jwk)).not.toBe(deviceIdOf('t2', jwk));
  });
});

const commandKey = (kid: string): SigningKey & { readonly jwk: KeySet['keys'][number] } => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' }) as { x: string; y: string };
  return {
    kid,
    jwk: { kty: 'EC', crv: 'P-256', kid, x, y },
    sign: (content) =>
      Promise.resolve(sign('sha256', content, { key: privateKey, dsaEncoding: 'ieee-p1363' })),
  };
};

describe('commands', () => {
  const payload: DownwardPayload = {
    v: 1,
    messageId: 'm',
    tenantId: 't',
    deviceId: 'd',
    sessionId: 's',
    epoch: 1,
    kind: 'session.open',
    body: { directory: null },
  };
  it('are believed when a trusted key signed them', async () => {
    const key = commandKey('k1');
    const jws = await signPayload(payload, key);
    expect(await verifyPayload(jws, [key.jwk])).toEqual(payload);
    await expect(verifyPayload(jws, [commandKey('k1').jwk])).rejects.toThrow();
    await expect(verifyPayload(jws, [commandKey('k2').jwk])).rejects.toThrow();
    const [header, , signature] = jws.split('.');
    const forged = `${header}.${Buffer.from(JSON.stringify({ ...payload, epoch: 2 })).toString('base64url')}.${signature}`;
    await expect(verifyPayload(forged, [key.jwk])).rejects.toThrow();
  });
  it('may be signed by a new key only when the key before vouches for it', async () => {
    const [first, second, stranger] = [commandKey('k1'), commandKey('k2'), commandKey('k3')] as const;
    const one = await signKeySet({ version: 1, keys: [first.jwk], previousHash: null }, first);
    const next = { version: 2, keys: [first.jwk, second.jwk], previousHash: keySetHash(one) };
    const two = await signKeySet(next, first);
    expect((await walkKeySets(one, [two, one])).version).toBe(2);
    await expect(walkKeySets(one, [await signKeySet(next, stranger)])).rejects.toThrow();
    await expect(
      walkKeySets(one, [await signKeySet({ ...next, previousHash: 'f'.repeat(64) }, first)]),
    ).rejects.toThrow();
    await expect(walkKeySets(one, [{ ...two, keys: [stranger.jwk] }])).rejects.toThrow();
  });
});
