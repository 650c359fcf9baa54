import { CommandFailure } from '../commands/commandFailure.ts';

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

/** A list that is loaded when somebody asks for it: what belongs to another system must not slow down the start. */
export const loadedWhenAsked = <Args extends readonly unknown[], Item>(
  load: () => Promise<(...args: Args) => Iterable<Item> | AsyncIterable<Item>>,
): ((...args: Args) => AsyncGenerator<Item>) =>
  async function* (...args) {
    yield* (await load())(...args);
  };
