import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import * as z from 'zod';
import { exitCodes } from '../exitCodes.ts';
import { Failure } from '../failure.ts';
import { writePrivately } from './writePrivately.ts';

export const flows = ['device-code', 'client-credentials'] as const;

export const profileShape = z.strictObject({
  server: z.url(),
  authority: z.url().default('https://login.microsoftonline.com'),
  tenant: z.string().min(1),
  clientId: z.string().min(1),
  scope: z.string().min(1).default('api://live-response/.default'),
  /** Certificate authorities to trust beside the usual ones; relative to the configuration's folder. */
  caFile: z.string().optional(),
  flow: z.enum(flows).default('device-code'),
  /** File with the client secret; relative to the configuration's folder. */
  secretFile: z.string().optional(),
});
export type Profile = z.infer<typeof profileShape>;

/** A profile name is also a file name. */
const profileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const configurationShape = z.strictObject({
  current: profileName,
  profiles: z.record(profileName, profileShape),
});
export type Configuration = z.infer<typeof configurationShape>;

/** A configuration and where it lives. */
export interface ConfigurationFile {
  readonly path: string;
  /** Undefined when there is no file yet. */
  readonly content: Configuration | undefined;
}

/** `$LR_CONFIG`, else the nearest `.local/lr/config.json` upwards, else the user's own. */
export const configurationPath = (folder: string, env: NodeJS.ProcessEnv): string => {
  if (env.LR_CONFIG) return resolve(folder, env.LR_CONFIG);
  for (let at = resolve(folder); ; at = dirname(at)) {
    const near = join(at, '.local', 'lr', 'config.json');
    if (existsSync(near)) return near;
    if (dirname(at) === at) break;
  }
  return join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'live-response', 'config.json');
};

export const readConfiguration = async (path: string): Promise<ConfigurationFile> => {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { path, content: undefined };
    throw unreadable(path, (error as Error).message);
  }
  try {
    return { path, content: configurationShape.parse(JSON.parse(text)) };
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw unreadable(path, why);
  }
};

export const writeConfiguration = async (path: string, content: Configuration): Promise<void> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writePrivately(path, `${JSON.stringify(configurationShape.parse(content), null, 2)}\n`);
};

/** True for a name that can be a profile. */
export const isProfileName = (name: string): boolean => profileName.safeParse(name).success;

const unreadable = (path: string, why: string): Failure =>
  new Failure(
    exitCodes.usage,
    'CONFIGURATION_UNREADABLE',
    `The configuration ${path} cannot be used: ${why}`,
    'Correct the file, or name another one in LR_CONFIG.',
  );
