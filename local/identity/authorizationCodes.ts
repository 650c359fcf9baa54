import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { equalSecrets } from './equalSecrets.ts';
import { OAuthError } from './oauthError.ts';
import type { Tenant, User } from './seed.ts';

/** What a person agreed to on the sign-in page. */
export interface SignIn {
  readonly tenant: Tenant;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly scope: string;
  readonly nonce?: string;
  /** SHA-256 of the verifier in base64url, as in RFC 7636. */
  readonly challenge?: string;
  readonly user: User;
  /** Common to all refresh tokens that come of it. */
  readonly family: string;
}

/** What the client proves when it takes the tokens. */
export interface Redemption {
  readonly tenant: Tenant;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly verifier: string | undefined;
}

export interface AuthorizationCodes {
  /** Gives the code that stands for a sign-in. */
  issue(signIn: Omit<SignIn, 'family'>): string;
  /**
   * Gives the sign-in, once. A code that comes again was stolen by somebody: `onReuse` gets its family, to end it. Throws
   * OAuthError.
   */
  redeem(code: string, redemption: Redemption, onReuse: (family: string) => void): SignIn;
}

const lifetimeMs = 600_000;

/** Codes live in memory only: after a restart people begin again. */
export function createAuthorizationCodes(now: () => number = Date.now): AuthorizationCodes {
  const issued = new Map<string, SignIn & { readonly expiresAt: number; used: boolean }>();
  return {
    issue(signIn) {
      for (const [code, { expiresAt }] of issued) if (expiresAt <= now()) issued.delete(code);
      const code = randomBytes(32).toString('base64url');
      issued.set(code, { ...signIn, family: randomUUID(), expiresAt: now() + lifetimeMs, used: false });
      return code;
    },

    redeem(code, { tenant, clientId, redirectUri, verifier }, onReuse) {
      const found = issued.get(code);
      if (!found || found.expiresAt <= now() || found.tenant !== tenant || found.clientId !== clientId) {
        throw refused(70008, 'The authorization code is unknown or out of time. Sign in again.');
      }
      if (found.used) {
        onReuse(found.family);
        throw refused(54005, 'The authorization code was redeemed already. Sign in again.');
      }
      if (found.redirectUri !== redirectUri) {
        throw refused(50011, 'The redirect_uri is not the one that the code was given for.');
      }
      if (!provesChallenge(found.challenge, verifier)) {
        throw refused(501481, 'The code_verifier does not match the code_challenge of the sign-in.');
      }
      found.used = true;
      return found;
    },
  };
}

function provesChallenge(challenge: string | undefined, verifier: string | undefined): boolean {
  if (challenge === undefined) return verifier === undefined;
  if (verifier === undefined || !/^[\w.~-]{43,128}$/.test(verifier)) return false;
  return equalSecrets(createHash('sha256').update(verifier).digest('base64url'), challenge);
}

const refused = (number: number, text: string): OAuthError =>
  new OAuthError(400, 'invalid_grant', number, text);
