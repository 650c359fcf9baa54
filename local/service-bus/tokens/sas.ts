import { createHmac, timingSafeEqual } from 'node:crypto';
import { unauthorized } from '../brokerError.ts';
import type { SharedAccessRule } from '../config.ts';
import type { Grant } from './grants.ts';
import { parseResourceUri, reaches, upwards } from './scope.ts';

/** What a SAS token is checked against. */
export interface SasScope {
  /** Hosts that mean this namespace, with port, in lower case. */
  readonly hosts: ReadonlySet<string>;
  rulesAt(path: string): readonly SharedAccessRule[];
}

/**
 * Checks a shared access signature for an audience (a path in lower case).
 * @returns the rights of the rule that signed it, on the audience. Throws BrokerError (unauthorized).
 */
export function verifySas(token: string, audience: string, scope: SasScope): Grant {
  const { resource, signature, expiry, rule } = readToken(token);
  const expiresAt = Number(expiry) * 1000;
  if (expiresAt <= Date.now()) throw unauthorized('ExpiredToken: The token is expired.');
  const { host, path } = parseResourceUri(decode(resource));
  if (host === undefined || !scope.hosts.has(host)) {
    throw unauthorized(
      `InvalidAudience: The token is for the host '${host ?? ''}', and this namespace is ${[...scope.hosts][0]}.`,
    );
  }
  if (!reaches(path, audience)) {
    throw unauthorized(`InvalidAudience: The token for '${path}' does not reach '${audience}'.`);
  }
  // The rule may sit on the resource itself or on any parent of it.
  for (const at of upwards(path)) {
    for (const candidate of scope.rulesAt(at)) {
      if (candidate.name !== rule) continue;
      for (const key of [candidate.key, candidate.secondaryKey]) {
        if (key && isSignedWith(key, resource, expiry, signature)) {
          return { path: audience, rights: candidate.rights, expiresAt };
        }
      }
    }
  }
  throw unauthorized('InvalidSignature: The token has an invalid signature, or no rule has its name.');
}

interface TokenFields {
  /** Still percent-encoded: the signature covers it as it was sent. */
  readonly resource: string;
  readonly signature: Buffer;
  /** Seconds since 1970. */
  readonly expiry: string;
  readonly rule: string;
}

function readToken(token: string): TokenFields {
  const list = /^SharedAccessSignature\s+(\S+)$/i.exec(token.trim())?.[1];
  if (!list) throw unauthorized('MalformedToken: The token is not a shared access signature.');
  const fields = new Map<string, string>();
  for (const field of list.split('&')) {
    const separator = field.indexOf('=');
    fields.set(field.slice(0, separator).toLowerCase(), field.slice(separator + 1));
  }
  const [resource, signature, expiry, rule] = ['sr', 'sig', 'se', 'skn'].map((name) => fields.get(name));
  if (!resource || !signature || !rule || !expiry || !/^\d{1,12}$/.test(expiry)) {
    throw unauthorized('MalformedToken: The token must have the fields sr, sig, se and skn.');
  }
  return { resource, signature: Buffer.from(decode(signature), 'base64'), expiry, rule: decode(rule) };
}

function isSignedWith(key: string, resource: string, expiry: string, signature: Buffer): boolean {
  // The key is used as text; its base64 is not decoded.
  const expected = signatureOf(key, resource, expiry);
  return expected.length === signature.length && timingSafeEqual(expected, signature);
}

const signatureOf = (key: string, resource: string, expiry: string): Buffer =>
  createHmac('sha256', key).update(`${resource}\n${expiry}`).digest();

/** A token of this rule for an address and all below it. */
export function sharedAccessSignature(
  uri: string,
  rule: { readonly name: string; readonly key: string },
  seconds: number,
): string {
  const resource = encodeURIComponent(uri);
  const expiry = String(Math.floor(Date.now() / 1000) + seconds);
  const signature = encodeURIComponent(signatureOf(rule.key, resource, expiry).toString('base64'));
  return `SharedAccessSignature sr=${resource}&sig=${signature}&se=${expiry}&skn=${rule.name}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw unauthorized('MalformedToken: A field of the token is not properly percent-encoded.');
  }
}
