import type { Action, OrchestratorState, RetryOptions } from './actions.ts';
import { ActionType, refusedActions } from './actions.ts';
import type { HistoryEvent } from './history.ts';
import { EventType } from './history.ts';

/** New work that a step decided on. */
export type Decision =
  | { kind: 'activity'; id: number; name: string; input: string }
  | { kind: 'timer'; id: number; fireAtMs: number };

export interface Outcome {
  status: 'Completed' | 'Failed' | 'Terminated' | 'ContinuedAsNew';
  /** JSON text, except for the plain texts of failures and terminations. */
  result: string | null;
}

export interface ReplayOptions {
  name: string;
  activityExists(name: string): boolean;
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
}

/** Thrown where Azure reports a non-deterministic workflow or where this host refuses an action. */
class ReplayFailure extends Error {}

/** A task of the machine: settled once, calls back synchronously. Synchrony is what keeps ids equal on both sides. */
class PendingTask {
  done = false;
  failed = false;
  #callbacks: (() => void)[] = [];

  settle(failed = false): void {
    if (this.done) return;
    this.done = true;
    this.failed = failed;
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) callback();
  }
  then(callback: () => void): void {
    if (this.done) callback();
    else this.#callbacks.push(callback);
  }
  static settled(failed = false): PendingTask {
    const task = new PendingTask();
    task.settle(failed);
    return task;
  }
}

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
        } else this.#apply(event);
      }
    } catch (error) {
      if (!(error instanceof ReplayFailure)) throw error;
      return this.#ended({ status: 'Failed', result: error.message });
    }
    if (terminated !== undefined) return this.#ended(terminated);
    // Tasks still open keep the instance running, as on Azure: an uncancelled timer holds back the completion.
    if (this.#outcome !== undefined && this.#open.size === 0) return this.#ended(this.#outcome);
    if (this.#outcome === undefined && this.#open.size === 0 && this.#waiters.size === 0) {
      this.#problems.push(
        'no activity, timer or event is pending and the orchestrator is not done; on Azure the instance would stay Running for ever',
      );
    }
    return this.#ended(undefined);
  }

  #ended(outcome: Outcome | undefined): Replayed {
    const abandoned = outcome?.status === 'Terminated' || outcome?.status === 'Failed';
    return {
      decisions: abandoned ? [] : [...this.#decisions.values()].sort((a, b) => a.id - b.id),
      outcome,
      customStatus: this.#customStatus,
      carriedOver: this.#carriedOver,
      problems: this.#problems,
    };
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
      case EventType.TimerCreated:
        this.#matchDecision(event, 'timer');
        break;
      case EventType.TaskCompleted:
        this.#close(event.TaskScheduledId, false);
        break;
      case EventType.TaskFailed:
        this.#close(event.TaskScheduledId, true);
        break;
      case EventType.TimerFired:
        this.#close(event.TimerId, false);
        break;
      case EventType.EventRaised:
        if (this.#continuedWith !== undefined) this.#carriedOver.push(event);
        else this.#raise(event.Name ?? '');
        break;
      default:
        break;
    }
  }

  /** An unknown id is a duplicate or a cancelled task: ignored. */
  #close(id: number | undefined, failed: boolean): void {
    if (id === undefined) return;
    const task = this.#open.get(id);
    this.#open.delete(id);
    task?.settle(failed);
  }

  #matchDecision(event: HistoryEvent, kind: Decision['kind']): void {
    const decision = this.#decisions.get(event.EventId);
    const named = event.Name === undefined ? '' : ` and name '${event.Name}'`;
    const before = `Non-Deterministic workflow detected: A previous execution of this orchestration scheduled a ${kind} task with sequence ID ${event.EventId}${named}`;
    const hint =
      'Was a change made to the orchestrator code after this instance had already started running?';
    if (decision === undefined) {
      throw new ReplayFailure(
        `${before}, but the current replay execution hasn't (yet?) scheduled this task. ${hint}`,
      );
    }
    if (decision.kind !== kind) {
      throw new ReplayFailure(
        `${before}, but the current orchestration replay instead produced a ${decision.kind} task with this sequence number. ${hint}`,
      );
    }
    if (decision.kind === 'activity' && decision.name.toLowerCase() !== event.Name?.toLowerCase()) {
      throw new ReplayFailure(
        `${before}, but the current orchestration replay instead scheduled '${decision.name}'. ${hint}`,
      );
    }
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
        return this.#withRetry(action, action.retryOptions);
      case ActionType.ContinueAsNew:
        this.#continuedWith = { input: toJson(action.input) };
        return PendingTask.settled();
      case ActionType.CreateTimer:
        return this.#createTimer(action);
      case ActionType.WaitForExternalEvent:
        return this.#waitForEvent(action.externalEventName ?? '');
      case ActionType.WhenAny:
        return this.#whenAny(action.compoundActions ?? []);
      case ActionType.WhenAll:
        return this.#whenAll(action.compoundActions ?? []);
      default: {
        const what = refusedActions[action.actionType] ?? `action type ${action.actionType}`;
        throw new ReplayFailure(
          `The local Functions host does not support ${what}, used by orchestrator '${this.#options.name}'. Use activities, timers, external events and continueAsNew.`,
        );
      }
    }
  }

  #decide(
    decision: { kind: 'activity'; name: string; input: string } | { kind: 'timer'; fireAtMs: number },
  ): PendingTask {
    const id = this.#nextId;
    this.#nextId += 1;
    this.#decisions.set(id, { ...decision, id });
    const task = new PendingTask();
    this.#open.set(id, task);
    return task;
  }

  #activity({ functionName = '', input }: Action): PendingTask {
    if (!this.#options.activityExists(functionName)) {
      this.#problems.push(
        `The function '${functionName}' doesn't exist, is disabled, or is not an activity function.`,
      );
      return PendingTask.settled(true);
    }
    return this.#decide({ kind: 'activity', name: functionName, input: JSON.stringify([input ?? null]) });
  }

  #withRetry(action: Action, options: RetryOptions | undefined): PendingTask {
    if (options === undefined) return this.#activity(action);
    const whole = new PendingTask();
    const startedAt = this.#now;
    const attempt = (number: number) => {
      const task = this.#activity(action);
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
