import type { SelectedProfile } from '../config/selectedProfile.ts';
import { type CachedTokens, readTokens, writeTokens } from '../config/tokenCache.ts';
import { exitCodes } from '../exitCodes.ts';
import { Failure } from '../failure.ts';
import { clientSecret } from './clientSecret.ts';
import { userScope } from './deviceCode.ts';
import { requestTokens, SignInRefusal } from './tokenEndpoint.ts';

/** A token is renewed when it has less than this left, so that none expires on its way. */
const leadMs = 120_000;

/** Gives a token that is valid now, renewed when it must be. Concurrent callers share one renewal. */
export const createTokenSource = (selected: SelectedProfile): (() => Promise<string>) => {
  let current: CachedTokens | undefined;
  let renewal: Promise<CachedTokens> | undefined;
  return async () => {
    current ??= await readTokens(selected);
    if (current !== undefined && Date.parse(current.expiresAt) - Date.now() > leadMs)
      return current.accessToken;
    renewal ??= renew(selected, current).finally(() => {
      renewal = undefined;
    });
    current = await renewal;
    return current.accessToken;
  };
};

const renew = async (selected: SelectedProfile, old: CachedTokens | undefined): Promise<CachedTokens> => {
  const tokens =
    selected.profile.flow === 'client-credentials'
      ? await signInAsClient(selected, false)
      : await refresh(selected, old);
  await writeTokens(selected, tokens);
  return tokens;
};

/** Client credentials: the same request every time. */
export const signInAsClient = async (selected: SelectedProfile, mayAsk: boolean): Promise<CachedTokens> =>
  requestTokens(selected.profile, {
    grant_type: 'client_credentials',
    scope: selected.profile.scope,
    client_secret: await clientSecret(selected, mayAsk),
  });

const refresh = async (
  { profile, name }: SelectedProfile,
  old: CachedTokens | undefined,
): Promise<CachedTokens> => {
  if (old?.refreshToken === undefined) {
    throw signInAgain(
      old === undefined ? `Nobody is signed in with profile "${name}".` : 'The sign-in is out of time.',
    );
  }
  try {
    const form = { grant_type: 'refresh_token', refresh_token: old.refreshToken, scope: userScope(profile) };
    // Not every issuer gives a new refresh token each time; the old one then stays good.
    return { refreshToken: old.refreshToken, ...(await requestTokens(profile, form)) };
  } catch (error) {
    if (error instanceof SignInRefusal) throw signInAgain(error.message);
    throw error;
  }
};

const signInAgain = (why: string): Failure =>
  new Failure(exitCodes.notSignedIn, 'NOT_SIGNED_IN', why, 'Sign in: lr login');
