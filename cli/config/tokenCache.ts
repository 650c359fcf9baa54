import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { SelectedProfile } from './selectedProfile.ts';
import { writePrivately } from './writePrivately.ts';

const cachedShape = z.object({
  /** Whose tokens these are: another server, tenant or client must never see them. */
  belongsTo: z.string(),
  accessToken: z.string(),
  expiresAt: z.iso.datetime(),
  refreshToken: z.string().optional(),
});
export type CachedTokens = Omit<z.infer<typeof cachedShape>, 'belongsTo'>;

const ownerOf = ({
  profile: { server, authority, tenant, clientId, scope, flow },
}: SelectedProfile): string => [server, authority, tenant, clientId, scope, flow].join(' ');
const folderOf = ({ folder }: SelectedProfile): string => join(folder, 'tokens');
const fileOf = (selected: SelectedProfile): string => join(folderOf(selected), `${selected.name}.json`);

/** Undefined when there are none, or when the profile has changed since. */
export const readTokens = async (selected: SelectedProfile): Promise<CachedTokens | undefined> => {
  try {
    const cached = cachedShape.parse(JSON.parse(await readFile(fileOf(selected), 'utf8')));
    return cached.belongsTo === ownerOf(selected) ? cached : undefined;
  } catch {
    return undefined;
  }
};

/** Readable by this user only. */
export const writeTokens = async (selected: SelectedProfile, tokens: CachedTokens): Promise<void> => {
  await mkdir(folderOf(selected), { recursive: true, mode: 0o700 });
  await writePrivately(fileOf(selected), JSON.stringify({ ...tokens, belongsTo: ownerOf(selected) }));
};
