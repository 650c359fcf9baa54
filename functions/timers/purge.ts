import type { InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';
import type { Services } from '../services.ts';

const keptDays = 7;

/** Removes the histories of supervisors that are done; what happened is in the events. */
export const purge =
  (services: Pick<Services, 'surroundings'>) =>
  async (context: InvocationContext): Promise<void> => {
    const until = new Date(Date.parse(services.surroundings.now()) - keptDays * 86_400_000);
    const result = await df.getClient(context).purgeInstanceHistoryBy({
      createdTimeFrom: new Date(0),
      createdTimeTo: until,
      runtimeStatus: [
        df.OrchestrationRuntimeStatus.Completed,
        df.OrchestrationRuntimeStatus.Failed,
        df.OrchestrationRuntimeStatus.Terminated,
      ],
    });
    context.log(`${result.instancesDeleted} finished supervisors were removed`);
  };
