import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  isSignatureOf,
  signatureStateOf,
  signerKeyOf,
  signFile,
  statementOf,
} from '../../evidence/scriptSignature.ts';

const file = { name: 'triage.sh', size: 4, sha256: 'a'.repeat(64) };
const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

const pairs = {
  Ed25519: () => generateKeyPairSync('ed25519'),
  'ECDSA-P256-SHA256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
} as const;

const signed = (make: () => { publicKey: KeyObject; privateKey: KeyObject }) => {
  const { publicKey, privateKey } = make();
  const signer = signerKeyOf(pem(publicKey));
  const signature = signFile(file, privateKey);
  if (signer === undefined || signature === undefined) throw new Error('This key was not taken.');
  return { signer, signature };
};

it('is made over the canonical statement about name, size and hash', () => {
  expect(Buffer.from(statementOf(file)).toString()).toBe(
    `{"name":"triage.sh","sha256":"${file.sha256}","size":4,"type":"live-response/library-file/v1"}`,
  );
});

describe.each(Object.entries(pairs))('%s', (algorithm, make) => {
  it('is right for exactly this content under this name by this key', () => {
    const { signer, signature } = signed(make);
    expect(signature.algorithm).toBe(algorithm);
    expect(isSignatureOf(file, signature, signer.publicKey)).toBe(true);
    for (const other of [{ name: 'wipe.sh' }, { size: 5 }, { sha256: 'b'.repeat(64) }])
      expect(isSignatureOf({ ...file, ...other }, signature, signer.publicKey)).toBe(false);
    const stranger = signed(make);
    expect(isSignatureOf(file, signature, stranger.signer.publicKey)).toBe(false);
    const renamed = { ...signature, keyId: stranger.signer.keyId };
    expect(isSignatureOf(file, renamed, signer.publicKey)).toBe(false);
    expect(isSignatureOf(file, renamed, stranger.signer.publicKey)).toBe(false);
    expect(isSignatureOf(file, { ...signature, value: 'bm8=' }, signer.publicKey)).toBe(false);
  });

  it('stands as valid, untrusted, invalid or unsigned', () => {
    const { signer, signature } = signed(make);
    const kept = { ...signature, publicKey: signer.publicKey, signerName: 'Release' };
    const trusted = { [signer.keyId]: { name: 'Release team' } };
    const signatures = [kept];
    expect(signatureStateOf({ ...file, signatures }, trusted)).toEqual({
      state: 'valid',
      signer: { keyId: signer.keyId, name: 'Release team' },
    });
    expect(signatureStateOf({ ...file, signatures }, {})).toEqual({
      state: 'untrusted',
      signer: { keyId: signer.keyId, name: 'Release' },
    });
    expect(signatureStateOf({ ...file, name: 'wipe.sh', signatures }, trusted).state).toBe('invalid');
    expect(signatureStateOf({ ...file, signatures: [] }, trusted).state).toBe('unsigned');
  });
});

it('takes no other kind of key, no private one, and no nonsense', () => {
  for (const { publicKey, privateKey } of [
    generateKeyPairSync('rsa', { modulusLength: 2048 }),
    generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    generateKeyPairSync('x25519'),
  ]) {
    expect(signerKeyOf(pem(publicKey))).toBeUndefined();
    expect(signFile(file, privateKey)).toBeUndefined();
  }
  const { privateKey } = pairs.Ed25519();
  expect(signerKeyOf(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())).toBeUndefined();
  expect(signerKeyOf('-----BEGIN PUBLIC KEY-----\nbm8=\n-----END PUBLIC KEY-----')).toBeUndefined();
  expect(signerKeyOf('')).toBeUndefined();
});
