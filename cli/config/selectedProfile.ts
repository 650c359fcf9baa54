import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { exitCodes } from '../exitCodes.ts';
import { Failure } from '../failure.ts';
import { type ConfigurationFile, configurationPath, type Profile, readConfiguration } from './configFile.ts';

/** A profile, its name, and the folder that its relative paths and its tokens belong to. */
export interface SelectedProfile {
  readonly name: string;
  readonly profile: Profile;
  readonly folder: string;
}

export const openConfiguration = (): Promise<ConfigurationFile> =>
  readConfiguration(configurationPath(process.cwd(), process.env));

/** The profile that was asked for, or the current one. */
export const selectProfile = ({ path, content }: ConfigurationFile, wanted?: string): SelectedProfile => {
  const name = wanted ?? content?.current;
  const profile = name === undefined ? undefined : content?.profiles[name];
  if (name !== undefined && profile !== undefined) return { name, profile, folder: dirname(path) };
  const known = Object.keys(content?.profiles ?? {}).join(', ');
  throw new Failure(
    exitCodes.usage,
    'NO_PROFILE',
    content === undefined
      ? `There is no configuration at ${path}.`
      : `The configuration ${path} has no profile "${name}"; it has ${known || 'none'}.`,
    'Make one: lr login --server URL --tenant TENANT --client-id ID',
  );
};

/** Trusts the profile's authorities from now on. Call it before the first connection. */
export const trustAuthorities = async ({ profile, folder }: SelectedProfile): Promise<void> => {
  if (profile.caFile === undefined) return;
  const path = resolve(folder, profile.caFile);
  try {
    setDefaultCACertificates([...getCACertificates('default'), await readFile(path, 'utf8')]);
  } catch (error) {
    throw new Failure(
      exitCodes.usage,
      'CA_FILE_UNREADABLE',
      `The certificates in ${path} cannot be used: ${(error as Error).message}`,
      'Correct caFile in the profile, or give --ca-file at lr login.',
    );
  }
};
