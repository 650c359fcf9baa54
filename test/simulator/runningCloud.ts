import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { trustAuthorities } from '../../agent/settings/authorities.ts';
import { profileShape } from '../../cli/config/configFile.ts';
import { LiveResponseClient } from '../../sdk/index.ts';

/** Where devices enrol, and who hands out tokens for it. */
export interface Destination {
  readonly server: string;
  readonly caFile: string | null;
  readonly newToken: (uses: number) => Promise<string>;
}

/** The local cloud that `npm start` keeps in `dataDir`, through the profile that it wrote for `lr`. */
export const runningCloud = async (dataDir: string): Promise<Destination> => {
  const folder = join(dataDir, 'lr');
  let content: { readonly profiles?: Readonly<Record<string, unknown>> };
  try {
    content = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as typeof content;
  } catch {
    throw new Error(`No local cloud was started in ${dataDir}. Start it first: npm start`);
  }
  const profile = profileShape.parse(content.profiles?.['local']);
  const caFile = profile.caFile === undefined ? null : resolve(folder, profile.caFile);
  if (caFile !== null) trustAuthorities(caFile);
  const secret = await readFile(resolve(folder, profile.secretFile ?? ''), 'utf8');
  const token = async (): Promise<string> => {
    const response = await fetch(`${profile.authority}/${profile.tenant}/oauth2/v2.0/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: profile.clientId,
        client_secret: secret.trim(),
        scope: profile.scope,
      }),
    });
    if (!response.ok) throw new Error(`Signing in at ${profile.authority} failed: ${await response.text()}`);
    return ((await response.json()) as { readonly access_token: string }).access_token;
  };
  const client = new LiveResponseClient({ server: profile.server, token });
  return {
    server: profile.server,
    caFile,
    newToken: async (uses) => (await client.createEnrolmentToken({ uses, description: 'simulator' })).token,
  };
};
