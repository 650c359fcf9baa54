import { AppProcessLost, FunctionFailed } from '../invocationErrors.ts';
import { describe } from '../log.ts';
import type { InvocationResult, RegisteredFunction } from '../protocol.ts';
import { jsonOf } from '../typedData.ts';
import type { DurableHttpRequest } from './actions.ts';
import { HTTP_ACTIVITY } from './decisions.ts';
import type { EngineContext } from './engineContext.ts';
import { exceptionDetails } from './failureDetails.ts';
import type { EventBody } from './history.ts';
import { EventType } from './history.ts';
import { sendDurableHttp } from './httpActivity.ts';
import { checkPayload } from './payloadLimits.ts';
import type { ActivityTask } from './store.ts';

/** Runs activities, those of the app and the built-in one behind callHttp. */
export class ActivityRunner {
  readonly #context: EngineContext;
  constructor(context: EngineContext) {
    this.#context = context;
  }

  /**
   * Runs the activity and stores its result, which counts once however often the activity runs.
   * @throws when it must be delivered again.
   */
  async run(task: ActivityTask): Promise<void> {
    const { functions, counters, repeatActivity, store } = this.#context;
    const fn = functions.find('activity', task.name);
    if (Math.random() < repeatActivity && fn !== undefined) {
      counters.activitiesRepeated += 1;
      await this.#invoke(fn, task).catch(() => undefined);
    }
    const event = await this.#event(fn, task);
    if (!this.#context.isClosed()) store.finishTask(task, event);
  }

  async #event(fn: RegisteredFunction | undefined, task: ActivityTask): Promise<EventBody> {
    try {
      const result = await this.#result(fn, task);
      checkPayload(
        result,
        `The result of activity '${task.name}' (instance '${task.instanceId}')`,
        this.#context.log,
      );
      return { EventType: EventType.TaskCompleted, TaskScheduledId: task.taskId, Result: result };
    } catch (error) {
      if (error instanceof AppProcessLost || this.#context.isStopping()) throw error;
      const stack = error instanceof FunctionFailed ? error.appStack : '';
      return {
        EventType: EventType.TaskFailed,
        TaskScheduledId: task.taskId,
        // Two spaces: the host cuts its own text after "Exception:" and keeps the space.
        Reason: `Activity function '${task.name}' failed:  ${describe(error)}`,
        Details: exceptionDetails(` ${describe(error)}`, stack),
      };
    }
  }

  async #result(fn: RegisteredFunction | undefined, task: ActivityTask): Promise<string | null> {
    if (task.name === HTTP_ACTIVITY) {
      const [request] = JSON.parse(task.input) as [DurableHttpRequest];
      return sendDurableHttp(request);
    }
    if (fn === undefined) {
      throw new FunctionFailed(`The activity function '${task.name}' does not exist.`, '');
    }
    const { returnValue } = await this.#invoke(fn, task);
    return jsonOf(returnValue);
  }

  #invoke(fn: RegisteredFunction, task: ActivityTask): Promise<InvocationResult> {
    this.#context.counters.activities += 1;
    const [value] = JSON.parse(task.input) as [unknown];
    const data = value === null ? {} : { string: activityText(value) };
    return this.#context.invoke(fn, {
      inputData: [{ name: fn.trigger.name, data }],
      triggerMetadata: { instanceId: { string: task.instanceId }, data: { json: JSON.stringify(value) } },
    });
  }
}

/** .NET writes booleans with a capital letter, so that they reach the handler as text. */
function activityText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return JSON.stringify(value);
}
