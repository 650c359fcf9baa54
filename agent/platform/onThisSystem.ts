import { CommandFailure } from '../commands/command.ts';

/** What each operating system has to offer, by its name in Node. */
export type PerSystem<Source> = Readonly<Partial<Record<NodeJS.Platform, Source>>>;

/** The one for the system that the agent runs on. */
export const onThisSystem = <Source>(sources: PerSystem<Source>): Source => {
  const source = sources[process.platform];
  if (source === undefined) {
    throw new CommandFailure('NOT_SUPPORTED', `This agent cannot do that on ${process.platform} yet.`);
  }
  return source;
};
