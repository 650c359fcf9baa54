import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import * as z from 'zod';
import type { DevicePublicKey } from '../../contracts/device.ts';
import { readStateFile, writeStateFile } from './stateDirectory.ts';

const fileName = 'device-key.json';

const privateJwk = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string(),
  d: z.string(),
});

export interface DeviceKey {
  readonly privateKey: KeyObject;
  readonly publicKey: DevicePublicKey;
}

export const readDeviceKey = (stateDirectory: string): DeviceKey | undefined => {
  const content = readStateFile(stateDirectory, fileName);
  if (content === undefined) return undefined;
  const parsed = privateJwk.safeParse(content);
  if (!parsed.success) throw new Error(`${stateDirectory}/${fileName} is not an Ed25519 key.`);
  const { kty, crv, x } = parsed.data;
  return {
    privateKey: createPrivateKey({ key: parsed.data, format: 'jwk' }),
    publicKey: { kty, crv, x },
  };
};

/** The device's key; made on first use and on disk before anybody hears of it, so that the device stays the same. */
export const ensureDeviceKey = (stateDirectory: string): DeviceKey => {
  const known = readDeviceKey(stateDirectory);
  if (known !== undefined) return known;
  writeStateFile(
    stateDirectory,
    fileName,
    generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }),
  );
  const made = readDeviceKey(stateDirectory);
  if (made === undefined) throw new Error(`${stateDirectory}/${fileName} could not be written.`);
  return made;
};
