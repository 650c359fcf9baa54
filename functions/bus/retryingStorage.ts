import type { Services } from '../services.ts';

const retryForMs = 60_000;

/**
 * Retries anything that `work` throws, with jitter, for up to a minute. A message that is given back at once comes again at
 * once: its deliveries would be used up in seconds.
 */
export const retryingStorage = async (
  { surroundings }: Pick<Services, 'surroundings'>,
  work: () => Promise<void>,
): Promise<void> => {
  const started = surroundings.elapsed();
  for (let pause = 100; ; pause = Math.min(pause * 2, 5_000)) {
    try {
      return await work();
    } catch (error) {
      if (surroundings.elapsed() - started + pause > retryForMs) throw error;
      await surroundings.sleep(pause * (0.5 + surroundings.random() / 2));
    }
  }
};
