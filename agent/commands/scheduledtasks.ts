import type { ScheduledTask } from '../platform/listed.ts';
import { loadedWhenAsked } from '../platform/onThisSystem.ts';
import { CommandFailure, type CommandContext } from './command.ts';
import { listing } from './listing.ts';

const wantedOf = ({ parameters }: CommandContext): string | null =>
  typeof parameters['name'] === 'string' && parameters['name'] !== '' ? parameters['name'] : null;

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

/** A list with one name asked for and nothing found is no list. */
async function* requireFound(
  tasks: AsyncIterable<ScheduledTask>,
  wanted: string | null,
): AsyncGenerator<ScheduledTask> {
  let found = wanted === null;
  for await (const task of tasks) {
    found ||= (task.note ?? null) === null;
    yield task;
  }
  if (!found) {
    throw new CommandFailure(
      'TASK_NOT_FOUND',
      `There is no scheduled task ${wanted}. Leave out the name to see all.`,
    );
  }
}

/** Lists what runs at a time. */
export const scheduledtasks = listing<ScheduledTask>('scheduledtasks', {
  linux: onLinux,
  async *darwin(context) {
    const { macosTasks } = await import('../platform/macos/jobs.ts');
    const wanted = wantedOf(context);
    const named = async function* (): AsyncGenerator<ScheduledTask> {
      for await (const task of macosTasks())
        if (wanted === null || task.name === wanted || (task.note ?? null) !== null) yield task;
    };
    yield* requireFound(named(), wanted);
  },
  async *win32(context) {
    const { windowsTasks } = await import('../platform/windows/tasks.ts');
    const wanted = wantedOf(context);
    yield* requireFound(windowsTasks(wanted), wanted);
  },
});
