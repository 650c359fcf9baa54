import type { Action, DurableHttpRequest, OrchestratorState, RetryOptions } from './actions.ts';
import { ActionType } from './actions.ts';
import type { Decision, NewDecision } from './decisions.ts';
import { HTTP_ACTIVITY, mismatch } from './decisions.ts';
import type { EntityRequest } from './entityMessages.ts';
import { deterministicGuid, entityInstanceId, OPERATION, parseEntityId, RELEASE } from './entityMessages.ts';
import type { HistoryEvent } from './history.ts';
import { EventType } from './history.ts';
import type { DurableKind } from './functionTable.ts';
import { missingFunction } from './functionTable.ts';
import { pollAfter } from './httpActivity.ts';
import { PendingTask } from './pendingTask.ts';

export interface Outcome {
  status: 'Completed' | 'Failed' | 'Terminated' | 'ContinuedAsNew';
  /** JSON text, except for the plain texts of failures and terminations. */
  result: string | null;
}

export interface ReplayOptions {
  name: string;
  instanceId: string;
  executionId: string;
  parentInstanceId: string | null;
  exists(kind: DurableKind, name: string): boolean;
  maximumShortTimerMs: number;
  longTimerIntervalMs: number;
}

export interface Replayed {
  decisions: Decision[];
  outcome: Outcome | undefined;
  /** JSON text; null means none, also when the orchestrator set it in an earlier step and not in this one. */
  customStatus: string | null;
  /** Events that came after continueAsNew was called and belong to the next generation. */
  carriedOver: HistoryEvent[];
  /** Why the instance would hang for ever on Azure; empty when it would not. */
  problems: string[];
  suspended: boolean;
  /** Entities of the critical section that is open at the end, asked for or entered. */
  lockedEntities: string[];
}

/** Thrown where Azure reports a non-deterministic workflow or where this host refuses an action. */
class ReplayFailure extends Error {}

const MAXIMUM_CUSTOM_STATUS_KB = 16;

/** JSON text of a value; null for the absent ones. */
export const toJson = (value: unknown): string | null =>
  value === undefined || value === null ? null : JSON.stringify(value);

/**
 * Does what the Durable extension does with the actions of an orchestrator: replays them over the whole history, hands
 * out sequence ids, matches them with earlier decisions and yields the new ones.
 */
export function replay(
  state: OrchestratorState,
  history: readonly HistoryEvent[],
  options: ReplayOptions,
): Replayed {
  return new ReplayMachine(state, options).run(history);
}

class ReplayMachine {
  readonly #state: OrchestratorState;
  readonly #options: ReplayOptions;
  readonly #actions: readonly Action[];
  readonly #decisions = new Map<number, Decision>();
  readonly #open = new Map<number, PendingTask>();
  /** Event name in lower case to its waiters; the newest is served first. */
  readonly #waiters = new Map<string, PendingTask[]>();
  readonly #buffered = new Map<string, number>();
  /** Request id to the entity call or lock that waits for its answer; like waiters, they do not hold completion back. */
  readonly #answers = new Map<string, PendingTask>();
  #criticalSection: { id: string; entities: string[] } | undefined;
  /** What came while suspended, in order. */
  #held: HistoryEvent[] | undefined;
  readonly #carriedOver: HistoryEvent[] = [];
  readonly #problems: string[] = [];
  #nextAction = 0;
  #nextId = 0;
  #now = 0;
  #customStatus: string | null = null;
  #outcome: Outcome | undefined;
  #continuedWith: { input: string | null } | undefined;

  constructor(state: OrchestratorState, options: ReplayOptions) {
    this.#state = state;
    this.#options = options;
    const actions = state.actions[0];
    if (actions === undefined || state.actions.length !== 1) {
      throw new Error(
        `The orchestrator '${options.name}' answered ${state.actions.length} action lists instead of one.`,
      );
    }
    this.#actions = actions;
  }

  run(history: readonly HistoryEvent[]): Replayed {
    let terminated: Outcome | undefined;
    try {
      for (const event of history) {
        if (event.EventType === EventType.ExecutionTerminated) {
          terminated ??= { status: 'Terminated', result: event.Input ?? null };
        } else this.#applyOrHold(event);
      }
    } catch (error) {
      if (!(error instanceof ReplayFailure)) throw error;
      return this.#ended({ status: 'Failed', result: error.message });
    }
    if (terminated !== undefined) return this.#ended(terminated);
    if (this.#held !== undefined) return { ...this.#ended(undefined), decisions: [] };
    // Tasks still open keep the instance running, as on Azure: an uncancelled timer holds back the completion.
    if (this.#outcome !== undefined && this.#open.size === 0) return this.#ended(this.#outcome);
    const waits = this.#open.size + this.#waiters.size + this.#answers.size;
    if (this.#outcome === undefined && waits === 0) {
      this.#problems.push(
        'no task, timer or event is pending and the orchestrator is not done; on Azure the instance would stay Running for ever',
      );
    }
    return this.#ended(undefined);
  }

  #ended(outcome: Outcome | undefined): Replayed {
    const abandoned = outcome?.status === 'Terminated' || outcome?.status === 'Failed';
    const decisions = [...this.#decisions.values()].sort((a, b) => a.id - b.id);
    return {
      // What a failing orchestrator signalled before goes out; work whose result nobody reads does not begin.
      decisions: abandoned
        ? decisions.filter(({ kind }) => kind === 'send' && outcome === this.#outcome)
        : decisions,
      outcome,
      customStatus: this.#customStatus,
      carriedOver: this.#carriedOver,
      problems: this.#problems,
      suspended: this.#held !== undefined,
      lockedEntities: this.#criticalSection?.entities ?? [],
    };
  }

  #applyOrHold(event: HistoryEvent): void {
    if (event.EventType === EventType.ExecutionSuspended) this.#held ??= [];
    else if (event.EventType === EventType.ExecutionResumed) {
      const held = this.#held ?? [];
      this.#held = undefined;
      for (const earlier of held) this.#apply(earlier);
    } else if (this.#held === undefined) this.#apply(event);
    else this.#held.push(event);
  }

  #apply(event: HistoryEvent): void {
    switch (event.EventType) {
      case EventType.OrchestratorStarted:
        this.#now = Date.parse(event.Timestamp);
        break;
      case EventType.ExecutionStarted:
        this.#start();
        break;
      case EventType.TaskScheduled:
        this.#matchDecision(event, 'activity');
        break;
      case EventType.SubOrchestrationInstanceCreated:
        this.#matchDecision(event, 'sub-orchestration');
        break;
      case EventType.EventSent:
        this.#matchDecision(event, 'send');
        break;
      case EventType.TimerCreated:
        this.#matchDecision(event, 'timer');
        break;
      case EventType.TaskCompleted:
      case EventType.SubOrchestrationInstanceCompleted:
        this.#close(event.TaskScheduledId, false, event.Result);
        break;
      case EventType.TaskFailed:
      case EventType.SubOrchestrationInstanceFailed:
        this.#close(event.TaskScheduledId, true);
        break;
      case EventType.TimerFired:
        this.#close(event.TimerId, false);
        break;
      case EventType.EventRaised:
        if (this.#answer(event.Name ?? '')) break;
        if (this.#continuedWith !== undefined) this.#carriedOver.push(event);
        else this.#raise(event.Name ?? '');
        break;
      default:
        break;
    }
  }

  /** An unknown id is a duplicate or a cancelled task: ignored. */
  #close(id: number | undefined, failed: boolean, result?: string | null): void {
    if (id === undefined) return;
    const task = this.#open.get(id);
    this.#open.delete(id);
    task?.settle(failed, result ?? null);
  }

  #answer(requestId: string): boolean {
    const task = this.#answers.get(requestId);
    this.#answers.delete(requestId);
    task?.settle();
    return task !== undefined;
  }

  #matchDecision(event: HistoryEvent, kind: Decision['kind']): void {
    const problem = mismatch(event, kind, this.#decisions.get(event.EventId));
    if (problem !== undefined) throw new ReplayFailure(problem);
    this.#decisions.delete(event.EventId);
  }

  #start(): void {
    this.#customStatus = toJson(this.#state.customStatus);
    const kilobytes = Math.trunc(((this.#customStatus?.length ?? 0) * 2) / 1024);
    if (kilobytes > MAXIMUM_CUSTOM_STATUS_KB) {
      this.#outcome = this.#failure(
        `The UTF-16 size of the JSON-serialized payload must not exceed ${MAXIMUM_CUSTOM_STATUS_KB} KB. The current payload size is ${kilobytes} KB.`,
      );
      this.#customStatus = null;
      return;
    }
    this.#advance();
  }

  #failure(reason: string): Outcome {
    return { status: 'Failed', result: `Orchestrator function '${this.#options.name}' failed: ${reason}` };
  }

  /** Top-level actions run strictly one after the other; a failed one does not stop the next (JS dealt with it). */
  #advance(): void {
    for (;;) {
      const action = this.#actions[this.#nextAction];
      if (action === undefined) break;
      this.#nextAction += 1;
      const task = this.#invoke(action);
      if (!task.done) {
        task.then(() => this.#advance());
        return;
      }
    }
    const { error, isDone, output } = this.#state;
    if (error) this.#outcome = this.#failure(error);
    else if (isDone) {
      this.#outcome =
        this.#continuedWith === undefined
          ? { status: 'Completed', result: toJson(output) }
          : { status: 'ContinuedAsNew', result: this.#continuedWith.input };
    }
  }

  #invoke(action: Action): PendingTask {
    switch (action.actionType) {
      case ActionType.CallActivity:
        return this.#activity(action);
      case ActionType.CallActivityWithRetry:
        return this.#withRetry(() => this.#activity(action), action.retryOptions);
      case ActionType.CallSubOrchestrator:
        return this.#subOrchestration(action);
      case ActionType.CallSubOrchestratorWithRetry:
        return this.#withRetry(() => this.#subOrchestration(action), action.retryOptions);
      case ActionType.ContinueAsNew:
        this.#continuedWith = { input: toJson(action.input) };
        return PendingTask.settled();
      case ActionType.CreateTimer:
        return this.#createTimer(action);
      case ActionType.WaitForExternalEvent:
        return this.#waitForEvent(action.externalEventName ?? '');
      case ActionType.CallEntity:
        return this.#callEntity(action, false);
      case ActionType.SignalEntity:
        return this.#callEntity(action, true);
      case ActionType.CallHttp:
        return this.#callHttp(action.httpRequest);
      case ActionType.LockEntities:
        return this.#lock(action);
      case ActionType.ReleaseEntities:
        return this.#release();
      case ActionType.WhenAny:
        return this.#whenAny(action.compoundActions ?? []);
      case ActionType.WhenAll:
        return this.#whenAll(action.compoundActions ?? []);
      default:
        throw new ReplayFailure(
          `The local Functions host does not support action type ${action.actionType}, used by orchestrator '${this.#options.name}'.`,
        );
    }
  }

  #allocate(decision: NewDecision): number {
    const id = this.#nextId;
    this.#nextId += 1;
    this.#decisions.set(id, { ...decision, id });
    return id;
  }

  #decide(decision: NewDecision): PendingTask {
    const task = new PendingTask();
    this.#open.set(this.#allocate(decision), task);
    return task;
  }

  #missing(kind: DurableKind, name: string): boolean {
    if (this.#options.exists(kind, name)) return false;
    this.#problems.push(missingFunction(kind, name));
    return true;
  }

  #activity({ functionName = '', input }: Action): PendingTask {
    if (this.#missing('activity', functionName)) return PendingTask.settled(true);
    return this.#decide({ kind: 'activity', name: functionName, input: JSON.stringify([input ?? null]) });
  }

  #subOrchestration({ functionName = '', instanceId, input, version }: Action): PendingTask {
    if (this.#missing('orchestrator', functionName)) return PendingTask.settled(true);
    const child = instanceId || `${this.#options.executionId}:${this.#nextId}`;
    if (child === this.#options.instanceId || child === this.#options.parentInstanceId) {
      this.#problems.push(`a sub-orchestration cannot have the id of its parent or grandparent, '${child}'`);
      return PendingTask.settled(true);
    }
    return this.#decide({
      kind: 'sub-orchestration',
      name: functionName,
      instanceId: child,
      input: toJson(input),
      version,
    });
  }

  #withRetry(begin: () => PendingTask, options: RetryOptions | undefined): PendingTask {
    if (options === undefined) return begin();
    const whole = new PendingTask();
    const startedAt = this.#now;
    const attempt = (number: number) => {
      const task = begin();
      task.then(() => {
        if (!task.failed) return whole.settle();
        if (number + 1 === options.maxNumberOfAttempts) {
          // Both sides wait for a timer that is due at once after the last attempt; without it the ids part.
          return this.#timer(this.#now).then(() => whole.settle(true));
        }
        const { retryTimeoutInMilliseconds: timeout } = options;
        if (timeout !== undefined && this.#now >= startedAt + timeout) return whole.settle(true);
        const delay = options.firstRetryIntervalInMilliseconds * (options.backoffCoefficient ?? 1) ** number;
        const longest = options.maxRetryIntervalInMilliseconds ?? 6 * 86_400_000;
        this.#timer(this.#now + Math.min(delay, longest)).then(() => attempt(number + 1));
        return undefined;
      });
    };
    attempt(0);
    return whole;
  }

  /** As long as the answer is 202 with a Location, waits and asks there, with the ids the JS side expects. */
  #callHttp(request: DurableHttpRequest | undefined): PendingTask {
    const whole = new PendingTask();
    if (request === undefined) throw new ReplayFailure('callHttp came without a request.');
    const ask = (current: DurableHttpRequest) => {
      const task = this.#decide({ kind: 'activity', name: HTTP_ACTIVITY, input: JSON.stringify([current]) });
      task.then(() => {
        const poll = task.failed ? undefined : pollAfter(current, task.result);
        if (poll === undefined) return whole.settle(task.failed);
        return this.#timer(this.#now + poll.delayMs).then(() => ask(poll.request));
      });
    };
    ask(request);
    return whole;
  }

  #callEntity({ instanceId, operation = '', input }: Action, signal: boolean): PendingTask {
    const target = instanceId ?? '';
    if (this.#missing('entity', parseEntityId(target).name)) return PendingTask.settled(true);
    const text = toJson(input);
    const request: EntityRequest = {
      ...this.#request(),
      op: operation,
      ...(signal && { signal }),
      ...(text !== null && { input: text }),
    };
    return this.#send(target, OPERATION, request, !signal);
  }

  #lock({ lockSet = [], lockRequestId = '' }: Action): PendingTask {
    const [first] = lockSet;
    if (first === undefined || lockSet.some(({ name }) => this.#missing('entity', name))) {
      return PendingTask.settled(true);
    }
    const entities = lockSet.map(({ name, key }) => entityInstanceId(name, key));
    this.#criticalSection = { id: lockRequestId, entities };
    const request: EntityRequest = { ...this.#request(), id: lockRequestId, lockset: lockSet, pos: 0 };
    return this.#send(entityInstanceId(first.name, first.key), OPERATION, request, true);
  }

  #release(): PendingTask {
    const section = this.#criticalSection;
    this.#criticalSection = undefined;
    for (const entity of section?.entities ?? []) {
      this.#send(entity, RELEASE, { parent: this.#options.instanceId, id: section?.id ?? '' }, false);
    }
    return PendingTask.settled();
  }

  #request(): EntityRequest {
    const { instanceId, executionId } = this.#options;
    const id = deterministicGuid(`${instanceId}/${executionId}/${this.#nextId}`);
    return { id, parent: instanceId, parentExecution: executionId };
  }

  #send(target: string, name: string, request: EntityRequest, awaited: boolean): PendingTask {
    this.#allocate({ kind: 'send', name, target, input: JSON.stringify(request) });
    if (!awaited) return PendingTask.settled();
    const task = new PendingTask();
    this.#answers.set(request.id, task);
    return task;
  }

  #timer(fireAtMs: number): PendingTask {
    return this.#decide({ kind: 'timer', fireAtMs });
  }

  #createTimer(action: Action): PendingTask {
    const firstId = this.#nextId;
    const task = this.#possiblyLongTimer(Date.parse(action.fireAt ?? ''));
    if (action.isCanceled === true) {
      // The id and the decision stay; TimerFired comes later and is ignored.
      this.#open.delete(firstId);
      task.settle(true);
    }
    return task;
  }

  /** Splits exactly as the JS side does, which is told the same two numbers. */
  #possiblyLongTimer(fireAtMs: number): PendingTask {
    if (fireAtMs - this.#now <= this.#options.maximumShortTimerMs) return this.#timer(fireAtMs);
    const whole = new PendingTask();
    const next = () => {
      if (this.#now >= fireAtMs) whole.settle();
      else {
        const remaining = fireAtMs - this.#now;
        const part =
          remaining > this.#options.maximumShortTimerMs ? this.#options.longTimerIntervalMs : remaining;
        this.#timer(this.#now + part).then(next);
      }
    };
    next();
    return whole;
  }

  #waitForEvent(name: string): PendingTask {
    const key = name.toLowerCase();
    const buffered = this.#buffered.get(key) ?? 0;
    if (buffered > 0) {
      this.#buffered.set(key, buffered - 1);
      return PendingTask.settled();
    }
    const task = new PendingTask();
    this.#waiters.set(key, [...(this.#waiters.get(key) ?? []), task]);
    return task;
  }

  #raise(name: string): void {
    const key = name.toLowerCase();
    const waiters = this.#waiters.get(key);
    const newest = waiters?.pop();
    if (newest === undefined) {
      this.#buffered.set(key, (this.#buffered.get(key) ?? 0) + 1);
      return;
    }
    if (waiters?.length === 0) this.#waiters.delete(key);
    newest.settle();
  }

  #whenAny(actions: readonly Action[]): PendingTask {
    const whole = new PendingTask();
    for (const task of actions.map((action) => this.#invoke(action))) task.then(() => whole.settle());
    return whole;
  }

  /** Waits for all, also after a failure: nothing further is scheduled until every child has ended. */
  #whenAll(actions: readonly Action[]): PendingTask {
    const whole = new PendingTask();
    let left = actions.length;
    if (left === 0) whole.settle();
    for (const task of actions.map((action) => this.#invoke(action))) {
      task.then(() => {
        left -= 1;
        if (left === 0) whole.settle();
      });
    }
    return whole;
  }
}
