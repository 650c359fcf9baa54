import { resolve } from 'node:path';
import * as z from 'zod';
import { isProfileName, type Profile, profileShape, writeConfiguration } from '../config/configFile.ts';
import {
  openConfiguration,
  type SelectedProfile,
  selectProfile,
  trustAuthorities,
} from '../config/selectedProfile.ts';
import { writeTokens } from '../config/tokenCache.ts';
import type { GlobalOptions, JsonOption } from '../context.ts';
import { exitCodes } from '../exitCodes.ts';
import { Failure } from '../failure.ts';
import { signInByDeviceCode } from '../login/deviceCode.ts';
import { signInAsClient } from '../login/tokenSource.ts';
import { shownInLine } from '../terminal/neutralise.ts';
import { notice, print, printJson } from '../terminal/screen.ts';

export interface LoginOptions extends GlobalOptions, JsonOption {
  readonly deviceCode?: boolean;
  readonly clientCredentials?: boolean;
  readonly server?: string;
  readonly authority?: string;
  readonly tenant?: string;
  readonly clientId?: string;
  readonly scope?: string;
  readonly caFile?: string;
}

/** Signs in and keeps the profile and its tokens. */
export const login = async (options: LoginOptions): Promise<number> => {
  const configuration = await openConfiguration();
  const name = options.profile ?? configuration.content?.current ?? 'default';
  const known = configuration.content?.profiles[name];
  const profile = profileFrom(name, options, known);
  const content = {
    current: name,
    profiles: { ...configuration.content?.profiles, [name]: profile },
  };
  const selected = selectProfile({ path: configuration.path, content }, name);
  await trustAuthorities(selected);
  const tokens =
    profile.flow === 'client-credentials'
      ? await signInAsClient(selected, true)
      : await signInByDeviceCode(profile, ({ address, code, validFor }) => {
          if (options.json) return printJson({ address, code, validFor });
          print(`Open ${shownInLine(address)} in a browser and enter the code ${shownInLine(code)}`);
          notice(`Waiting for the sign-in; the code is good for ${Math.round(validFor / 60)} minutes.`);
        });
  await writeTokens(selected, tokens);
  await writeConfiguration(configuration.path, content);
  sayWho(selected, tokens.accessToken, tokens.expiresAt, options.json === true);
  return exitCodes.completed;
};

const profileFrom = (name: string, options: LoginOptions, known: Profile | undefined): Profile => {
  if (!isProfileName(name)) {
    throw usage(`"${name}" cannot be the name of a profile.`, 'Use letters, digits, ".", "_" and "-".');
  }
  if (options.deviceCode && options.clientCredentials) {
    throw usage('--device-code and --client-credentials exclude each other.', 'Give one of them.');
  }
  const given = {
    server: options.server,
    authority: options.authority,
    tenant: options.tenant,
    clientId: options.clientId,
    scope: options.scope,
    caFile: options.caFile === undefined ? undefined : resolve(options.caFile),
    flow: options.deviceCode ? 'device-code' : options.clientCredentials ? 'client-credentials' : undefined,
  };
  const wanted = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const profile = profileShape.safeParse({ ...known, ...wanted });
  if (profile.success) return profile.data;
  throw usage(
    `Profile "${name}" is incomplete: ${z.prettifyError(profile.error)}`,
    'Give --server, --tenant and --client-id at the first login.',
  );
};

/** Reads the token without checking it: only to tell the user who they are. Checking is the server's part. */
const sayWho = (
  { name, profile }: SelectedProfile,
  token: string,
  expiresAt: string,
  json: boolean,
): void => {
  const claims = claimsOf(token);
  const who = claims.name ?? claims.preferred_username ?? claims.azp ?? profile.clientId;
  const roles = claims.roles ?? [];
  if (json) return printJson({ profile: name, server: profile.server, who, roles, expiresAt });
  print(`Signed in to ${profile.server} as ${shownInLine(who)} (profile ${name}).`);
  print(
    roles.length === 0
      ? 'No roles: most commands will be refused.'
      : `Roles: ${shownInLine(roles.join(', '))}`,
  );
};

const claimsShape = z.object({
  name: z.string().optional(),
  preferred_username: z.string().optional(),
  azp: z.string().optional(),
  roles: z.array(z.string()).optional(),
});

const claimsOf = (token: string): z.infer<typeof claimsShape> => {
  try {
    const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8');
    return claimsShape.parse(JSON.parse(payload));
  } catch {
    return {};
  }
};

const usage = (message: string, next: string): Failure =>
  new Failure(exitCodes.usage, 'USAGE', message, next);
