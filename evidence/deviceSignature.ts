import { createPublicKey, type JsonWebKey, type KeyObject, sign, verify } from 'node:crypto';
import type { DevicePublicKey, UpwardMessage } from '../contracts/device.ts';
import { canonicalForm, sha256 } from './canonical.ts';

/** Exactly what a device signs: every member but the signature, in RFC 8785 form. */
export const signedFormOf = ({ signature: _, ...message }: UpwardMessage): string => canonicalForm(message);

export const messageHash = (message: UpwardMessage): string => sha256(signedFormOf(message));

export const signMessage = (
  message: Omit<UpwardMessage, 'signature'>,
  privateKey: KeyObject,
): UpwardMessage => {
  const unsigned = { ...message, signature: '' };
  return {
    ...unsigned,
    signature: sign(null, Buffer.from(signedFormOf(unsigned)), privateKey).toString('base64url'),
  };
};

/** False for any message that this key did not sign as it is; never throws. */
export const isSignedBy = (message: UpwardMessage, publicKey: DevicePublicKey): boolean => {
  try {
    const key = createPublicKey({ key: publicKey as JsonWebKey, format: 'jwk' });
    return verify(null, Buffer.from(signedFormOf(message)), key, Buffer.from(message.signature, 'base64url'));
  } catch {
    return false;
  }
};

/** RFC 7638 thumbprint of a device's key, base64url. */
export const thumbprintOf = ({ crv, kty, x }: DevicePublicKey): string =>
  Buffer.from(sha256(canonicalForm({ crv, kty, x })), 'hex').toString('base64url');

/** A device's id follows from its tenant and its key: the same key never gets a second id. 40 hex digits, as Defender's are. */
export const deviceIdOf = (tenantId: string, publicKey: DevicePublicKey): string =>
  sha256(`${tenantId}|${thumbprintOf(publicKey)}`).slice(0, 40);

/** True for what can be the id of a device; anything else need not be looked up, and may be too long for it. */
export const isDeviceId = (value: string): boolean => /^[0-9a-f]{40}$/.test(value);
