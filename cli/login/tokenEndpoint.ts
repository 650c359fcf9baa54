import * as z from 'zod';
import type { Profile } from '../config/configFile.ts';
import type { CachedTokens } from '../config/tokenCache.ts';
import { exitCodes } from '../exitCodes.ts';
import { Failure } from '../failure.ts';

const tokenAnswer = z.object({
  access_token: z.string(),
  expires_in: z.coerce.number().positive(),
  refresh_token: z.string().optional(),
});
const refusal = z.object({ error: z.string(), error_description: z.string().optional() });

/** The issuer said no; `error` is the OAuth code. */
export class SignInRefusal extends Failure {
  readonly error: string;

  constructor(error: string, description: string, next?: string) {
    super(exitCodes.notSignedIn, error.toUpperCase(), `The sign-in was refused: ${description}`, next);
    this.error = error;
  }
}

/** Posts a form below `{authority}/{tenant}/oauth2/v2.0/`. */
export const postForm = async (
  { authority, tenant }: Profile,
  endpoint: 'token' | 'devicecode',
  form: Readonly<Record<string, string>>,
): Promise<unknown> => {
  const address = `${authority.replace(/\/+$/, '')}/${encodeURIComponent(tenant)}/oauth2/v2.0/${endpoint}`;
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(address, {
      method: 'POST',
      body: new URLSearchParams(form),
      redirect: 'error',
      signal: AbortSignal.timeout(30_000),
    });
    body = await response.json();
  } catch (error) {
    const { cause, message } = error as Error;
    throw new Failure(
      exitCodes.unavailable,
      'NO_ANSWER',
      `No answer from the sign-in service at ${address}: ${cause instanceof Error ? cause.message : message}`,
      'Check the authority, the tenant and the certificates (caFile) of the profile.',
    );
  }
  if (response.ok) return body;
  const refused = refusal.safeParse(body);
  if (!refused.success) throw new SignInRefusal('http_error', `${address} answered ${response.status}.`);
  const { error, error_description: description = error } = refused.data;
  throw new SignInRefusal(error, description.split(/\r?\n/)[0] ?? error);
};

/** Asks for tokens. Their lifetime counts from before the request, so that none is used too long. */
export const requestTokens = async (
  profile: Profile,
  form: Readonly<Record<string, string>>,
): Promise<CachedTokens> => {
  const now = Date.now();
  const answer = tokenAnswer.parse(
    await postForm(profile, 'token', { client_id: profile.clientId, ...form }),
  );
  return {
    accessToken: answer.access_token,
    expiresAt: new Date(now + answer.expires_in * 1000).toISOString(),
    ...(answer.refresh_token === undefined ? {} : { refreshToken: answer.refresh_token }),
  };
};
