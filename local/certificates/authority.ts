import { X509Certificate } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { issueAuthority, issueServerCertificate, type PemPair } from './issue.ts';

/** Absolute or `dir`-relative paths of PEM files. `caFile` stays the same across renewals. */
export interface Authority {
  /** What clients must trust, e.g. through `NODE_EXTRA_CA_CERTS`. */
  readonly caFile: string;
  /** Certificate for localhost, 127.0.0.1 and ::1. */
  readonly certFile: string;
  /** Its private key, mode 0600. */
  readonly keyFile: string;
}

const renewBeforeDays = 30;
const certificateName = 'certificate.pem';
const keyName = 'key.pem';
const generationName = /^server-(\d+)$/;

/**
 * Makes a private authority and a server certificate in `dir` on first use, and gives back the same files afterwards.
 * A server certificate with less than 30 days left is replaced by a new one of the same authority.
 *
 * Safe against processes that start at once and against a crash half-way: each pair is written into its own temporary
 * folder and takes its final name by one rename, which only one process can win.
 */
export async function createAuthority(dir: string): Promise<Authority> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const authorityDir = join(dir, 'authority');
  const authority =
    (await readPair(authorityDir)) ?? (await publish(dir, authorityDir, await issueAuthority()));
  const expiry = new Date(new X509Certificate(authority.certificate).validTo);
  if (daysUntil(expiry) < renewBeforeDays) {
    throw new Error(
      `The authority in ${authorityDir} ends on ${expiry.toISOString()}. Delete ${dir} and start again; ` +
        'every client must then trust the new certificate.',
    );
  }
  const serverDir = await currentServerDir(dir, authority);
  return {
    caFile: join(authorityDir, certificateName),
    certFile: join(serverDir, certificateName),
    keyFile: join(serverDir, keyName),
  };
}

async function currentServerDir(dir: string, authority: PemPair): Promise<string> {
  const generations = (await readdir(dir))
    .map((name) => Number(generationName.exec(name)?.[1] ?? 0))
    .sort((a, b) => b - a);
  const newest = generations[0] ?? 0;
  if (newest > 0) {
    const newestDir = join(dir, `server-${newest}`);
    const pair = await readPair(newestDir);
    if (pair !== undefined && isUsable(pair, authority)) return newestDir;
  }
  const nextDir = join(dir, `server-${newest + 1}`);
  await publish(dir, nextDir, await issueServerCertificate(authority));
  return nextDir;
}

function isUsable(pair: PemPair, authority: PemPair): boolean {
  const certificate = new X509Certificate(pair.certificate);
  return (
    certificate.verify(new X509Certificate(authority.certificate).publicKey) &&
    daysUntil(new Date(certificate.validTo)) >= renewBeforeDays
  );
}

async function publish(dir: string, target: string, pair: PemPair): Promise<PemPair> {
  const draft = await mkdtemp(join(dir, 'draft-'));
  try {
    await writeFile(join(draft, certificateName), pair.certificate, { mode: 0o644, flush: true });
    await writeFile(join(draft, keyName), pair.key, { mode: 0o600, flush: true });
    await rename(draft, target);
    return pair;
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    const winner = await readPair(target);
    if (winner === undefined) throw error;
    return winner;
  }
}

async function readPair(dir: string): Promise<PemPair | undefined> {
  try {
    const [certificate, key] = await Promise.all([
      readFile(join(dir, certificateName), 'utf8'),
      readFile(join(dir, keyName), 'utf8'),
    ]);
    return { certificate, key };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function daysUntil(date: Date): number {
  return (date.getTime() - Date.now()) / 86_400_000;
}
