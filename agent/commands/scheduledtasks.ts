import type { ScheduledTask } from '../platform/listed.ts';
import { loadedWhenAsked } from '../platform/onThisSystem.ts';
import type { CommandContext } from './command.ts';
import { listing } from './listing.ts';

const onLinux = loadedWhenAsked(async () => {
  const { linuxScheduledTasks } = await import('../platform/linux/scheduledTasks.ts');
  return async function* ({ parameters }: CommandContext): AsyncGenerator<ScheduledTask> {
    const { name } = { name: parameters['name'] };
    for await (const task of linuxScheduledTasks()) {
      // What could not be looked at is told whatever is asked for.
      if (name === undefined || task.name === undefined || task.name === name) yield task;
    }
  };
});

/** Lists what runs at a time. */
export const scheduledtasks = listing<ScheduledTask>('scheduledtasks', { linux: onLinux });
