import { exitCodes } from '../exitCodes.ts';
import { Failure } from '../failure.ts';
import type { LiveSession } from '../session/liveSession.ts';
import type { RemotePaths } from './completion/remotePaths.ts';

const nothing = (): void => {};

/** Lists a directory for completion. Nothing of it is shown, but it is a command of the session like any other. */
export const listQuietly = async (session: LiveSession, line: string, paths: RemotePaths): Promise<void> => {
  const command = await session.issue(line, (issued) => {
    const learning = paths.watch(issued);
    return {
      output: learning.write,
      ended: learning.end,
      file: nothing,
      sentToBackground: nothing,
      broughtToForeground: nothing,
    };
  });
  await command.ended;
  if (command.state === 'Completed') return;
  throw new Failure(
    exitCodes.failed,
    command.error?.code ?? 'LISTING_FAILED',
    command.error?.message ?? `${line} did not complete.`,
  );
};
