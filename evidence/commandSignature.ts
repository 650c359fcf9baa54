import { base64url, compactVerify, importJWK } from 'jose';
import { type DownwardPayload, downwardPayload, type KeySet } from '../contracts/device.ts';
import { canonicalForm, sha256 } from './canonical.ts';

const type = 'live-response+jws';

/** A key that signs commands. It may live where only its signatures come from. */
export interface SigningKey {
  readonly kid: string;
  /** ECDSA P-256 over SHA-256 of `content`; the 64-byte r‖s form. */
  readonly sign: (content: Uint8Array) => Promise<Uint8Array>;
}

/** Compact JWS (ES256) over the RFC 8785 form of `payload`. */
export const signPayload = async (payload: unknown, key: SigningKey): Promise<string> => {
  const header = base64url.encode(canonicalForm({ alg: 'ES256', kid: key.kid, typ: type }));
  const content = `${header}.${base64url.encode(canonicalForm(payload))}`;
  return `${content}.${base64url.encode(await key.sign(new TextEncoder().encode(content)))}`;
};

/** What a device names when it says which command it runs. */
export const commandHash = (jws: string): string => sha256(jws);

/** The payload when one of `keys` signed it and it has the right shape; throws otherwise. */
export const verifyPayload = async (jws: string, keys: KeySet['keys']): Promise<DownwardPayload> => {
  const { payload } = await compactVerify(
    jws,
    async ({ kid }) => {
      const jwk = keys.find((key) => key.kid === kid);
      if (jwk === undefined) throw new Error(`No key of the backend is called ${kid}.`);
      return importJWK(jwk, 'ES256');
    },
    { algorithms: ['ES256'] },
  );
  return downwardPayload.parse(JSON.parse(new TextDecoder().decode(payload)));
};

const unsignedSet = ({ signature: _, ...set }: KeySet): Omit<KeySet, 'signature'> => set;
export const keySetHash = (set: KeySet): string => sha256(canonicalForm(set));

/** Signs a key set with a key of the set before it; the first one with a key of its own. */
export const signKeySet = async (set: Omit<KeySet, 'signature'>, key: SigningKey): Promise<KeySet> => ({
  ...set,
  signature: await signPayload(set, key),
});

/**
 * Walks from the set that is trusted to the newest of `offered`: each must follow the one before by number and hash and be
 * signed by a key of it. Returns the newest set that can be trusted; throws when a link is broken.
 */
export const walkKeySets = async (trusted: KeySet, offered: readonly KeySet[]): Promise<KeySet> => {
  let current = trusted;
  for (const next of [...offered].sort((a, b) => a.version - b.version)) {
    if (next.version <= current.version) continue;
    if (next.version !== current.version + 1 || next.previousHash !== keySetHash(current)) {
      throw new Error(`Key set ${next.version} does not follow key set ${current.version}.`);
    }
    await verifyKeySet(next, current.keys);
    current = next;
  }
  return current;
};

/** Throws unless one of `keys` signed exactly this set. */
export const verifyKeySet = async (set: KeySet, keys: KeySet['keys']): Promise<void> => {
  const { payload } = await compactVerify(set.signature, async ({ kid }) => {
    const jwk = keys.find((key) => key.kid === kid);
    if (jwk === undefined) throw new Error(`Key set ${set.version} is signed by an unknown key.`);
    return importJWK(jwk, 'ES256');
  });
  if (new TextDecoder().decode(payload) !== canonicalForm(unsignedSet(set))) {
    throw new Error(`The signature of key set ${set.version} is about something else.`);
  }
};
