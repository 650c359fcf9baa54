import { resolve } from 'node:path';
import { openClient } from '../../cli/context.ts';

/** Where devices enrol, and who hands out tokens for it. */
export interface Destination {
  readonly server: string;
  readonly caFile: string | null;
  readonly newToken: (uses: number) => Promise<string>;
}

/** The local cloud of `npm start`, through the profile that it wrote for `lr`. */
export const runningCloud = async (): Promise<Destination> => {
  const { client, selected } = await openClient({ profile: 'local' }).catch((cause: unknown) => {
    throw new Error('There is no local cloud to enrol in. Start it first: npm start', { cause });
  });
  const { server, caFile } = selected.profile;
  return {
    server,
    caFile: caFile === undefined ? null : resolve(selected.folder, caFile),
    newToken: async (uses) => (await client.createEnrolmentToken({ uses, description: 'simulator' })).token,
  };
};
