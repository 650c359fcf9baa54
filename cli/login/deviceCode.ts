import { setTimeout as pause } from 'node:timers/promises';
import * as z from 'zod';
import type { Profile } from '../config/configFile.ts';
import type { CachedTokens } from '../config/tokenCache.ts';
import { postForm, requestTokens, SignInRefusal } from './tokenEndpoint.ts';

const codeAnswer = z.object({
  device_code: z.string(),
  user_code: z.string(),
  verification_uri: z.string(),
  expires_in: z.coerce.number(),
  interval: z.coerce.number().default(5),
});

/** What the person needs: open `address` anywhere and enter `code`. */
export interface SignInInvitation {
  readonly address: string;
  readonly code: string;
  /** Seconds. */
  readonly validFor: number;
}

const grant = 'urn:ietf:params:oauth:grant-type:device_code';

/** Scope with which a refresh token comes, too. */
export const userScope = (profile: Profile): string => `${profile.scope} offline_access`;

/** Waits until a person has signed in elsewhere. Throws SignInRefusal when they refuse or time is over. */
export const signInByDeviceCode = async (
  profile: Profile,
  invite: (invitation: SignInInvitation) => void,
): Promise<CachedTokens> => {
  const form = { client_id: profile.clientId, scope: userScope(profile) };
  const asked = codeAnswer.parse(await postForm(profile, 'devicecode', form));
  invite({ address: asked.verification_uri, code: asked.user_code, validFor: asked.expires_in });
  const deadline = Date.now() + asked.expires_in * 1000;
  let { interval } = asked;
  while (Date.now() < deadline) {
    await pause(interval * 1000);
    try {
      return await requestTokens(profile, { grant_type: grant, device_code: asked.device_code });
    } catch (error) {
      if (!(error instanceof SignInRefusal)) throw error;
      if (error.error === 'slow_down') interval += 5;
      else if (error.error !== 'authorization_pending') throw error;
    }
  }
  throw new SignInRefusal('expired_token', 'the code was not used in time.', 'Begin again: lr login');
};
