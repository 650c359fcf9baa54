import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { DetachedSignature, FileSignature } from '../domain/library/index.ts';
import type { TrustedSigner } from '../domain/settings/index.ts';
import { canonicalForm, sha256 } from './canonical.ts';

/** What a signature of a library file is about: this content under this name. */
export interface SignedFile {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

/**
 * Exactly the bytes that a signer signs: the RFC 8785 form of
 * `{"name":…,"sha256":…,"size":…,"type":"live-response/library-file/v1"}`, in UTF-8. The hash binds the content, so that a large
 * file is signed without being read by the signer's key; the name keeps a signed script from being put in the place of another.
 */
export const statementOf = ({ name, size, sha256: hash }: SignedFile): Uint8Array =>
  Buffer.from(canonicalForm({ type: 'live-response/library-file/v1', name, size, sha256: hash }));

/** A public key that can check signatures, with the id under which signatures name it. */
export interface SignerKey {
  readonly algorithm: DetachedSignature['algorithm'];
  /** SHA-256, hex, of the key's SPKI in DER. */
  readonly keyId: string;
  /** SPKI, DER, base64. */
  readonly publicKey: string;
}

/** The key out of a PEM or out of base64 SPKI. Undefined for anything but an Ed25519 or ECDSA P-256 public key. */
export const signerKeyOf = (pemOrSpki: string): SignerKey | undefined => {
  // A private key would be taken, too, and its public half derived: but then it would have been sent around.
  if (pemOrSpki.includes('PRIVATE KEY')) return undefined;
  try {
    return describe(
      pemOrSpki.includes('-----BEGIN')
        ? createPublicKey(pemOrSpki)
        : createPublicKey({ key: Buffer.from(pemOrSpki, 'base64'), format: 'der', type: 'spki' }),
    );
  } catch {
    return undefined;
  }
};

const describe = (key: KeyObject): SignerKey | undefined => {
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) return undefined;
  const spki = key.export({ format: 'der', type: 'spki' });
  return { algorithm, keyId: sha256(spki), publicKey: spki.toString('base64') };
};

const algorithmOf = (key: KeyObject): DetachedSignature['algorithm'] | undefined => {
  if (key.asymmetricKeyType === 'ed25519') return 'Ed25519';
  const isP256 = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  return isP256 ? 'ECDSA-P256-SHA256' : undefined;
};

/** Signs a file with a private key; undefined for a key of another kind. */
export const signFile = (file: SignedFile, privateKey: KeyObject): DetachedSignature | undefined => {
  const signer = describe(createPublicKey(privateKey));
  if (signer === undefined) return undefined;
  const { algorithm, keyId } = signer;
  const value = sign(digestOf(algorithm), statementOf(file), privateKey).toString('base64');
  return { algorithm, keyId, value };
};

/** Ed25519 hashes by itself. */
const digestOf = (algorithm: DetachedSignature['algorithm']): string | null =>
  algorithm === 'Ed25519' ? null : 'sha256';

/** True when this key made this signature about exactly this file; never throws. */
export const isSignatureOf = (
  file: SignedFile,
  { algorithm, keyId, value }: DetachedSignature,
  publicKey: string,
): boolean => {
  const signer = signerKeyOf(publicKey);
  if (signer === undefined || signer.keyId !== keyId || signer.algorithm !== algorithm) return false;
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
    return verify(digestOf(algorithm), statementOf(file), key, Buffer.from(value, 'base64'));
  } catch {
    return false;
  }
};

/**
 * How a file stands today. `valid`: signed by a signer whom the tenant trusts now. `untrusted`: signed, by someone who is
 * trusted no longer. `invalid`: no signature is right for this content and name. `unsigned`: it has none.
 */
export interface SignatureState {
  readonly state: 'valid' | 'untrusted' | 'invalid' | 'unsigned';
  readonly signer: { readonly keyId: string; readonly name: string } | null;
}

/** The signature that makes a file `valid` today: right, and by a signer whom the tenant trusts. */
export const trustedSignatureOf = (
  file: SignedFile & { readonly signatures: readonly FileSignature[] },
  trusted: Readonly<Record<string, Pick<TrustedSigner, 'name'>>>,
): FileSignature | undefined =>
  file.signatures.find(
    (signature) =>
      trusted[signature.keyId] !== undefined && isSignatureOf(file, signature, signature.publicKey),
  );

/** `trusted`: the tenant's signers by key id. */
export const signatureStateOf = (
  file: SignedFile & { readonly signatures: readonly FileSignature[] },
  trusted: Readonly<Record<string, Pick<TrustedSigner, 'name'>>>,
): SignatureState => {
  if (file.signatures.length === 0) return { state: 'unsigned', signer: null };
  const valid = trustedSignatureOf(file, trusted);
  if (valid !== undefined) {
    const { keyId, signerName } = valid;
    return { state: 'valid', signer: { keyId, name: trusted[keyId]?.name ?? signerName } };
  }
  const former = file.signatures.find((signature) => isSignatureOf(file, signature, signature.publicKey));
  return former === undefined
    ? { state: 'invalid', signer: null }
    : { state: 'untrusted', signer: { keyId: former.keyId, name: former.signerName } };
};
