import { LiveResponseClient } from '../sdk/index.ts';
import {
  openConfiguration,
  type SelectedProfile,
  selectProfile,
  trustAuthorities,
} from './config/selectedProfile.ts';
import { createTokenSource } from './login/tokenSource.ts';

export interface GlobalOptions {
  readonly profile?: string;
  /** Cuts long cells of tables instead of wrapping them. */
  readonly cut?: boolean;
}

export interface JsonOption {
  readonly json?: boolean;
}

/** A client for the selected profile; asks for a token only with the first request. */
export const openClient = async ({
  profile,
}: GlobalOptions): Promise<{ readonly client: LiveResponseClient; readonly selected: SelectedProfile }> => {
  const selected = selectProfile(await openConfiguration(), profile);
  await trustAuthorities(selected);
  const { server } = selected.profile;
  return { client: new LiveResponseClient({ server, token: createTokenSource(selected) }), selected };
};
