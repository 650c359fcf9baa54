import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { SelectedProfile } from '../config/selectedProfile.ts';
import { exitCodes } from '../exitCodes.ts';
import { Failure } from '../failure.ts';
import { askSecret } from '../terminal/ask.ts';

/** From LR_CLIENT_SECRET, else the profile's secretFile, else the person at the terminal when `mayAsk`. Never an argument. */
export const clientSecret = async (
  { profile, folder }: SelectedProfile,
  mayAsk: boolean,
): Promise<string> => {
  const { LR_CLIENT_SECRET: fromEnvironment } = process.env;
  if (fromEnvironment) return fromEnvironment;
  if (profile.secretFile !== undefined) {
    const path = resolve(folder, profile.secretFile);
    try {
      return (await readFile(path, 'utf8')).trim();
    } catch (error) {
      throw missing(`the secret file ${path} cannot be read: ${(error as Error).message}`);
    }
  }
  if (mayAsk && process.stdin.isTTY) return askSecret(`Secret of client ${profile.clientId}: `);
  throw missing('there is neither LR_CLIENT_SECRET nor a secretFile in the profile');
};

const missing = (why: string): Failure =>
  new Failure(
    exitCodes.notSignedIn,
    'CLIENT_SECRET_MISSING',
    `The client's secret is missing: ${why}.`,
    'Set LR_CLIENT_SECRET, name a secretFile in the profile, or run lr login at a terminal.',
  );
