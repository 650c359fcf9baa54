import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TokenCredential } from '@azure/identity';
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys';
import { calculateJwkThumbprint } from 'jose';
import type { KeySet } from '../../contracts/device.ts';
import type { SigningKey } from '../../evidence/commandSignature.ts';

export type PublicSigningKey = KeySet['keys'][number];
export type CommandKey = SigningKey & { readonly publicKey: PublicSigningKey };

/**
 * Opens the key that signs commands: `https://{vault}/keys/{name}` stays in Key Vault and only its signatures come out;
 * `file:///…` is a PEM file with an EC P-256 private key.
 */
export const openCommandKey = async (address: string, credential: TokenCredential): Promise<CommandKey> => {
  const url = new URL(address);
  if (url.protocol === 'file:') return fileKey(fileURLToPath(url));
  if (url.protocol === 'https:') return vaultKey(url, credential);
  throw new Error(
    `COMMAND_KEY: ${url.protocol} is no place for a key. Use the address of a key in Key Vault.`,
  );
};

const named = async (jwk: { readonly x?: string; readonly y?: string }): Promise<PublicSigningKey> => {
  const { x, y } = jwk;
  if (x === undefined || y === undefined) throw new Error('COMMAND_KEY: this is not an elliptic-curve key.');
  const kid = await calculateJwkThumbprint({ kty: 'EC', crv: 'P-256', x, y });
  return { kty: 'EC', crv: 'P-256', kid, x, y };
};

const fileKey = async (path: string): Promise<CommandKey> => {
  const privateKey = createPrivateKey(readFileSync(path));
  if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new Error('COMMAND_KEY: the key must be on curve P-256.');
  const publicKey = await named(createPublicKey(privateKey).export({ format: 'jwk' }));
  return {
    kid: publicKey.kid,
    publicKey,
    sign: (content) =>
      Promise.resolve(sign('sha256', content, { key: privateKey, dsaEncoding: 'ieee-p1363' })),
  };
};

const vaultKey = async (url: URL, credential: TokenCredential): Promise<CommandKey> => {
  const [, , name, version] = url.pathname.split('/');
  if (name === undefined) throw new Error('COMMAND_KEY: the address names no key.');
  const key = await new KeyClient(url.origin, credential).getKey(
    name,
    version === undefined ? {} : { version },
  );
  const { x, y } = key.key ?? {};
  if (key.id === undefined || x === undefined || y === undefined)
    throw new Error('COMMAND_KEY: this is not an elliptic-curve key.');
  const publicKey = await named({
    x: Buffer.from(x).toString('base64url'),
    y: Buffer.from(y).toString('base64url'),
  });
  const signer = new CryptographyClient(key.id, credential);
  return {
    kid: publicKey.kid,
    publicKey,
    sign: async (content) => (await signer.signData('ES256', content)).result,
  };
};
