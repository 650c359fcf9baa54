import type { ScheduledTask } from '../platform/listed.ts';
import { type CommandContext, CommandFailure } from './command.ts';
import { listing } from './listing.ts';

const wantedOf = ({ parameters }: CommandContext): string | null =>
  typeof parameters['name'] === 'string' && parameters['name'] !== '' ? parameters['name'] : null;

const isNote = ({ note }: ScheduledTask): boolean => (note ?? null) !== null;

/** The tasks of that name. What could not be looked at is told whatever is asked for. */
async function* withName(
  tasks: AsyncIterable<ScheduledTask>,
  wanted: string | null,
): AsyncGenerator<ScheduledTask> {
  for await (const task of tasks) if (wanted === null || task.name === wanted || isNote(task)) yield task;
}

/** A list with one name asked for and nothing found is no list. */
async function* requireFound(
  tasks: AsyncIterable<ScheduledTask>,
  wanted: string | null,
): AsyncGenerator<ScheduledTask> {
  let found = wanted === null;
  for await (const task of tasks) {
    found ||= !isNote(task);
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
  async *linux(context) {
    const { linuxScheduledTasks } = await import('../platform/linux/scheduledTasks.ts');
    const wanted = wantedOf(context);
    yield* requireFound(withName(linuxScheduledTasks(), wanted), wanted);
  },
  async *darwin(context) {
    const { macosTasks } = await import('../platform/macos/jobs.ts');
    const wanted = wantedOf(context);
    yield* requireFound(withName(macosTasks(), wanted), wanted);
  },
  async *win32(context) {
    const { windowsTasks } = await import('../platform/windows/tasks.ts');
    const wanted = wantedOf(context);
    yield* requireFound(windowsTasks(wanted), wanted);
  },
});
