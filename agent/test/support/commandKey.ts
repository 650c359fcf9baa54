import { generateKeyPairSync, sign } from 'node:crypto';
import type { KeySet } from '../../../contracts/device.ts';
import type { SigningKey } from '../../../evidence/commandSignature.ts';

export interface CommandKey extends SigningKey {
  readonly jwk: KeySet['keys'][number];
}

/** A key as the backend signs commands with, of this test alone. */
export const newCommandKey = (kid: string): CommandKey => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' });
  return {
    kid,
    jwk: { kty: 'EC', crv: 'P-256', kid, x: x ?? '', y: y ?? '' },
    sign: async (content) => sign('sha256', content, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
};
