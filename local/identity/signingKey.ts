import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose';

/** The RSA key that signs new tokens, and what the world may see of it. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

/** A key that signs no more, published as long as tokens of it may be about. */
interface RetiredKey {
  readonly publicJwk: JWK;
  /** Ms since 1970. */
  readonly retiredAt: number;
}

export interface SigningKeys {
  /** The one that signs. */
  current(): SigningKey;
  /** Those that verify, the current one first. */
  published(): JWK[];
  /** Signs with a new key from now on. */
  roll(): Promise<SigningKey>;
}

const algorithm = 'RS256';

/**
 * Loads the keys of `dataDir`, making one (files of mode 0600) on first use, so that tokens outlive a restart.
 * @param longestLife seconds that any token lives: as long a retired key stays published.
 */
export async function loadSigningKeys(dataDir: string, longestLife: number): Promise<SigningKeys> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, 'signing-key.json');
  const retiredPath = join(dataDir, 'retired-signing-keys.json');
  let retired = (await readJson<RetiredKey[]>(retiredPath)) ?? [];
  let current = await signingKeyOf((await readJson<JWK>(path)) ?? (await makeKey(path)), path);

  const stillNeeded = () => {
    const oldest = Date.now() - longestLife * 1000;
    return retired.filter(({ retiredAt, publicJwk }) => retiredAt > oldest && publicJwk.kid !== current.kid);
  };
  return {
    current: () => current,
    published: () => [current.publicJwk, ...stillNeeded().map(({ publicJwk }) => publicJwk)],
    async roll() {
      retired = [{ publicJwk: current.publicJwk, retiredAt: Date.now() }, ...stillNeeded()];
      // The old key must be kept before the new one replaces it.
      await writeJson(retiredPath, retired);
      current = await signingKeyOf(await makeKey(path), path);
      return current;
    },
  };
}

async function signingKeyOf(jwk: JWK, path: string): Promise<SigningKey> {
  const { kty, n, e } = jwk;
  if (kty !== 'RSA' || n === undefined || e === undefined) {
    throw new Error(`${path} holds no RSA key. Delete it and start again; clients then sign in anew.`);
  }
  const kid = await calculateJwkThumbprint(jwk);
  return {
    kid,
    privateKey: (await importJWK(jwk, algorithm)) as CryptoKey,
    publicJwk: { kty, n, e, kid, use: 'sig', alg: algorithm },
  };
}

async function makeKey(path: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const jwk = await exportJWK(privateKey);
  await writeJson(path, jwk);
  return jwk;
}

async function readJson<Content>(path: string): Promise<Content | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Content;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whole or not at all, and for the owner only. */
async function writeJson(path: string, content: unknown): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(JSON.stringify(content));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path).catch(async (error: unknown) => {
    await rm(draft, { force: true });
    throw error;
  });
}
