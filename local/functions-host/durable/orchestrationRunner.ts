import { randomUUID } from 'node:crypto';
import { FunctionFailed } from '../invocationErrors.ts';
import { describe } from '../log.ts';
import type { RegisteredFunction } from '../protocol.ts';
import type { OrchestratorState } from './actions.ts';
import type { Decision } from './decisions.ts';
import type { EngineContext } from './engineContext.ts';
import { entityEvent, RELEASE } from './entityMessages.ts';
import { exceptionDetails } from './failureDetails.ts';
import { missingFunction } from './functionTable.ts';
import type { EventBody, HistoryEvent } from './history.ts';
import { EventType, inHistory, isTerminal } from './history.ts';
import { DEFAULT_POLL_MS } from './httpActivity.ts';
import { checkInstanceId } from './instanceIds.ts';
import { checkPayload } from './payloadLimits.ts';
import type { Outcome, Replayed } from './replay.ts';
import { replay } from './replay.ts';
import type {
  ActivityTask,
  InboxMessage,
  Instance,
  NewInstance,
  OutgoingMessage,
  StepResult,
} from './store.ts';
import { startedEvent } from './store.ts';

const WARN_HISTORY_EVENTS = 1000;
const WARN_HISTORY_BYTES = 1_048_576;
/** Generations run in one go before other instances get their turn. */
const MAXIMUM_GENERATIONS_PER_STEP = 50;
/** Schema V4, what current Durable extensions announce. */
const UPPER_SCHEMA_VERSION = 3;
const OUT_OF_PROC_MARKER = '\n\n$OutOfProcData$:';
const SOURCE = 'durable';

/** Everything one generation of a step produced so far. */
interface Step {
  instance: Instance;
  base: HistoryEvent[];
  fresh: HistoryEvent[];
  replacesHistory: boolean;
  activities: StepResult['activities'][number][];
  messages: OutgoingMessage[];
  children: NewInstance[];
}

/** What a committed step gives others to do. */
export interface StepOutput {
  activities: ActivityTask[];
  /** Instances and entities that got messages, with the time these are due. */
  wakes: { id: string; dueMs: number }[];
}

/** Runs steps of orchestrations, each one transaction. */
export class OrchestrationRunner {
  readonly #context: EngineContext;
  readonly #histories = new Map<string, HistoryEvent[]>();
  readonly #warnedExecutions = new Set<string>();

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** Forgets what it remembers of an instance that was purged or remade. */
  forget(id: string): void {
    this.#histories.delete(id);
  }

  /** Runs the instance on what is due for it; undefined when that means nothing to it. */
  async run(id: string): Promise<StepOutput | undefined> {
    const { store, counters } = this.#context;
    const messages = store.dueMessages(id, Date.now());
    if (messages.length === 0) return undefined;
    const consumed = messages.map(({ n }) => n);
    const instance = store.instance(id);
    const begun =
      instance === undefined || isTerminal(instance.status) ? undefined : this.#begin(instance, messages);
    if (begun === undefined) {
      store.dropMessages(consumed);
      return undefined;
    }
    counters.orchestrationSteps += 1;
    const step = await this.#runGenerations(begun);
    if (this.#context.isClosed()) return undefined;
    if (store.instance(id)?.executionId !== instance?.executionId) return undefined; // purged or remade meanwhile
    const activities = store.commitStep({
      instance: { ...step.instance, updatedAt: new Date().toISOString() },
      consumed,
      replacesHistory: step.replacesHistory,
      appended: step.fresh,
      firstSequence: step.base.length,
      activities: step.activities,
      messages: step.messages,
      children: step.children,
    });
    for (const child of step.children) this.forget(child.id);
    if (isTerminal(step.instance.status)) this.#histories.delete(id);
    else this.#histories.set(id, step.base.concat(step.fresh));
    this.#warnAboutHistory(step);
    const wakes = [
      ...step.messages.map(({ to, dueMs }) => ({ id: to, dueMs })),
      ...step.children.map((child) => ({ id: child.id, dueMs: 0 })),
    ];
    return { activities, wakes };
  }

  /** The step's first events; undefined when the messages mean nothing, such as events for an instance never begun. */
  #begin(instance: Instance, messages: readonly InboxMessage[]): Step | undefined {
    const base = this.#historyOf(instance.id);
    const begun = base.some(({ EventType: type }) => type === EventType.ExecutionStarted);
    const fresh = [inHistory({ EventType: EventType.OrchestratorStarted })];
    let started = begun;
    for (const { executionId, event } of messages) {
      if (executionId !== null && executionId !== instance.executionId) continue; // an answer to an earlier generation
      if (event.EventType === EventType.ExecutionStarted) {
        if (!started) fresh.splice(1, 0, inHistory(event));
        started = true;
      } else fresh.push(inHistory(event));
    }
    if (!started || fresh.length === 1) return undefined;
    return { instance, base, fresh, replacesHistory: false, activities: [], messages: [], children: [] };
  }

  #historyOf(id: string): HistoryEvent[] {
    let history = this.#histories.get(id);
    if (history === undefined) {
      history = this.#context.store.history(id);
      this.#histories.set(id, history);
    }
    return history;
  }

  async #runGenerations(first: Step): Promise<Step> {
    let step = first;
    for (let generation = 0; ; generation += 1) {
      const { outcome, ...replayed } = await this.#replayOnce(step);
      for (const event of step.fresh)
        if (event.EventType !== EventType.OrchestratorStarted) event.IsPlayed = true;
      // Recomputed at every step; an old value survives only inside a step that continued as new.
      const customStatus = replayed.customStatus ?? (generation > 0 ? step.instance.customStatus : null);
      step.instance = {
        ...step.instance,
        customStatus,
        status: replayed.suspended ? 'Suspended' : 'Running',
      };
      const refusal = this.#refusal(step.instance, replayed.decisions, outcome);
      if (outcome !== undefined || refusal !== undefined) this.#releaseLocks(step, replayed.lockedEntities);
      if (refusal !== undefined) return this.#end(step, { status: 'Failed', result: refusal });
      for (const decision of replayed.decisions) this.#apply(step, decision);
      if (outcome?.status === 'ContinuedAsNew') {
        step = this.#nextGeneration(step, outcome, replayed.carriedOver);
        if (generation + 1 < MAXIMUM_GENERATIONS_PER_STEP) continue;
        return this.#yieldToOthers(step);
      }
      if (outcome !== undefined) return this.#end(step, outcome);
      step.fresh.push(inHistory({ EventType: EventType.OrchestratorCompleted }));
      return step;
    }
  }

  async #replayOnce(step: Step): Promise<Replayed> {
    const { instance } = step;
    const history = step.base.concat(step.fresh);
    const { functions } = this.#context;
    const fn = functions.find('orchestrator', instance.name);
    const state: OrchestratorState =
      fn === undefined
        ? { isDone: false, actions: [[]], error: missingFunction('orchestrator', instance.name) }
        : await this.#callOrchestrator(fn, instance, history);
    const replayed = replay(state, history, {
      name: instance.name,
      instanceId: instance.id,
      executionId: instance.executionId,
      parentInstanceId: instance.parent?.instanceId ?? null,
      exists: (kind, name) => functions.find(kind, name) !== undefined,
      maximumShortTimerMs: this.#context.maximumShortTimerMs,
      longTimerIntervalMs: this.#context.longTimerIntervalMs,
    });
    if (replayed.problems.length > 0) {
      const result = `The local Functions host ended this instance, which would hang on Azure: ${replayed.problems.join('; ')}`;
      this.#context.log.error(SOURCE, `instance ${instance.id} (${instance.name}): ${result}`);
      replayed.outcome ??= { status: 'Failed', result };
    }
    return replayed;
  }

  async #callOrchestrator(
    fn: RegisteredFunction,
    instance: Instance,
    history: readonly HistoryEvent[],
  ): Promise<OrchestratorState> {
    const value = {
      history,
      input: instance.input === null ? null : (JSON.parse(instance.input) as unknown),
      instanceId: instance.id,
      isReplaying: history.some((event) => event.EventType === EventType.ExecutionStarted && event.IsPlayed),
      parentInstanceId: instance.parent?.instanceId ?? null,
      upperSchemaVersion: 1,
      upperSchemaVersionNew: UPPER_SCHEMA_VERSION,
      maximumShortTimerDuration: dotNetTimeSpan(this.#context.maximumShortTimerMs),
      longRunningTimerIntervalDuration: dotNetTimeSpan(this.#context.longTimerIntervalMs),
      // The misspelling is part of the contract.
      defaultHttpAsyncRequestSleepTimeMillseconds: DEFAULT_POLL_MS,
    };
    try {
      const { returnValue } = await this.#context.invoke(fn, {
        inputData: [{ name: fn.trigger.name, data: { string: JSON.stringify(value) } }],
      });
      const state = orchestratorState(returnValue?.json ?? returnValue?.string ?? 'null');
      const { maxActions } = this.#context;
      return (state.actions[0]?.length ?? 0) <= maxActions
        ? state
        : {
            isDone: false,
            actions: [[]],
            error: `more than ${maxActions} actions in one generation, which maxOrchestrationActions of host.json forbids`,
          };
    } catch (error) {
      if (!(error instanceof FunctionFailed)) throw error; // process lost or timed out: the step runs again
      const marker = error.message.indexOf(OUT_OF_PROC_MARKER);
      if (marker >= 0) return orchestratorState(error.message.slice(marker + OUT_OF_PROC_MARKER.length));
      return { isDone: false, actions: [[]], error: error.message || 'Unknown error' };
    }
  }

  /** Why the step cannot be taken: a payload too large for Azure, or a sub-orchestration whose id is in use. */
  #refusal(
    instance: Instance,
    decisions: readonly Decision[],
    outcome: Outcome | undefined,
  ): string | undefined {
    const childIds = new Set<string>();
    try {
      const check = (payload: string | null, what: string) =>
        checkPayload(payload, `${what} (instance '${instance.id}')`, this.#context.log);
      check(outcome?.result ?? null, `The output of '${instance.name}'`);
      for (const decision of decisions) {
        if (decision.kind === 'timer') continue;
        check(decision.input, `The input of ${decision.kind} '${decision.name}'`);
        if (decision.kind !== 'sub-orchestration') continue;
        this.#checkChildId(decision.instanceId, childIds);
        childIds.add(decision.instanceId);
      }
    } catch (error) {
      return describe(error);
    }
    return undefined;
  }

  #checkChildId(id: string, chosen: ReadonlySet<string>): void {
    checkInstanceId(id);
    const existing = this.#context.store.instance(id);
    if (chosen.has(id) || (existing !== undefined && !isTerminal(existing.status))) {
      const text = `The local Functions host ended this instance, which would hang on Azure: the id '${id}' of its sub-orchestration belongs to a running instance`;
      this.#context.log.error(SOURCE, text);
      throw new Error(text);
    }
  }

  #apply(step: Step, decision: Decision): void {
    const { id, executionId } = step.instance;
    switch (decision.kind) {
      case 'activity': {
        const { id: taskId, name, input } = decision;
        step.fresh.push(
          inHistory({
            EventType: EventType.TaskScheduled,
            EventId: taskId,
            Name: name,
            Version: '',
            Input: this.#context.storeInputs ? input : null,
          }),
        );
        step.activities.push({ executionId, taskId, name, input });
        return;
      }
      case 'sub-orchestration':
        this.#beginChild(step, decision);
        return;
      case 'send': {
        const { name, target, input } = decision;
        step.fresh.push(
          inHistory({
            EventType: EventType.EventSent,
            EventId: decision.id,
            InstanceId: target,
            Name: name,
            Input: input,
          }),
        );
        step.messages.push({
          to: target,
          executionId: null,
          dueMs: Date.now(),
          event: { EventType: EventType.EventRaised, Name: name, Input: input },
        });
        return;
      }
      case 'timer': {
        const FireAt = new Date(decision.fireAtMs).toISOString();
        step.fresh.push(inHistory({ EventType: EventType.TimerCreated, EventId: decision.id, FireAt }));
        step.messages.push({
          to: id,
          executionId,
          dueMs: decision.fireAtMs,
          event: { EventType: EventType.TimerFired, TimerId: decision.id, FireAt },
        });
      }
    }
  }

  #beginChild(step: Step, decision: Decision & { kind: 'sub-orchestration' }): void {
    const { instance } = step;
    const name = this.#context.functions.find('orchestrator', decision.name)?.name ?? decision.name;
    const version = decision.version ?? this.#context.defaultVersion;
    step.fresh.push(
      inHistory({
        EventType: EventType.SubOrchestrationInstanceCreated,
        EventId: decision.id,
        Name: decision.name,
        Version: version,
        InstanceId: decision.instanceId,
        Input: decision.input,
      }),
    );
    step.children.push({
      id: decision.instanceId,
      name,
      input: decision.input,
      version,
      parent: {
        name: instance.name,
        version: instance.version,
        instanceId: instance.id,
        executionId: instance.executionId,
        taskId: decision.id,
      },
    });
  }

  /** A critical section ends with its orchestration, also when that fails inside it. */
  #releaseLocks({ instance, messages }: Step, entities: readonly string[]): void {
    for (const entity of entities) {
      messages.push({
        to: entity,
        executionId: null,
        dueMs: Date.now(),
        event: entityEvent(RELEASE, { id: '', parent: instance.id }),
      });
    }
  }

  #nextGeneration(step: Step, outcome: Outcome, carriedOver: readonly HistoryEvent[]): Step {
    const instance: Instance = {
      ...step.instance,
      executionId: randomUUID().replaceAll('-', ''),
      input: outcome.result,
      createdAt: new Date().toISOString(),
    };
    return {
      ...step,
      instance,
      base: [],
      replacesHistory: true,
      fresh: [
        inHistory({ EventType: EventType.OrchestratorStarted }),
        inHistory(startedEvent(instance)),
        // A new generation has not played them yet.
        ...carriedOver.map((event) => ({ ...event, IsPlayed: false })),
      ],
    };
  }

  /** Leaves the generation begun but not run; its start goes through the inbox so that other instances get a turn. */
  #yieldToOthers(step: Step): Step {
    const { instance, fresh } = step;
    step.messages.push({
      to: instance.id,
      executionId: instance.executionId,
      dueMs: Date.now(),
      event: startedEvent(instance),
    });
    for (const { Name, Input } of fresh.filter(({ EventType: type }) => type === EventType.EventRaised)) {
      step.messages.push({
        to: instance.id,
        executionId: instance.executionId,
        dueMs: Date.now(),
        event: { EventType: EventType.EventRaised, Name: Name ?? '', Input: Input ?? null },
      });
    }
    step.fresh = [];
    return step;
  }

  #end(step: Step, outcome: Outcome): Step {
    const status = outcome.status === 'ContinuedAsNew' ? 'Completed' : outcome.status;
    const ids = step.base.concat(step.fresh).map(({ EventId }) => EventId);
    step.instance = { ...step.instance, status, output: outcome.result };
    step.fresh.push(
      inHistory({
        EventType: EventType.ExecutionCompleted,
        EventId: Math.max(-1, ...ids) + 1,
        OrchestrationStatus: status,
        Result: outcome.result,
      }),
      inHistory({ EventType: EventType.OrchestratorCompleted }),
    );
    this.#tellParent(step, outcome);
    return step;
  }

  #tellParent({ instance, messages }: Step, { status, result }: Outcome): void {
    const { parent } = instance;
    if (parent === null) return;
    const answer: EventBody =
      status === 'Failed' || status === 'Terminated'
        ? {
            EventType: EventType.SubOrchestrationInstanceFailed,
            TaskScheduledId: parent.taskId,
            Reason: result,
            Details: exceptionDetails(result ?? '', ''),
          }
        : {
            EventType: EventType.SubOrchestrationInstanceCompleted,
            TaskScheduledId: parent.taskId,
            Result: result,
          };
    // A parent that has continued as new has another execution by now and ignores it.
    messages.push({
      to: parent.instanceId,
      executionId: parent.executionId,
      dueMs: Date.now(),
      event: answer,
    });
  }

  #warnAboutHistory({ instance, base, fresh }: Step): void {
    const events = base.length + fresh.length;
    if (this.#warnedExecutions.has(instance.executionId) || events < WARN_HISTORY_EVENTS / 10) return;
    const tooMany = events > WARN_HISTORY_EVENTS;
    if (!tooMany && (events % 25 !== 0 || JSON.stringify(base).length < WARN_HISTORY_BYTES)) return;
    this.#warnedExecutions.add(instance.executionId);
    this.#context.log.warn(
      SOURCE,
      `instance ${instance.id} (${instance.name}) has a history of ${events} events; it is replayed in full at every step. Use continueAsNew.`,
    );
  }
}

function orchestratorState(text: string): OrchestratorState {
  // One case arrives as a JSON text inside a JSON text.
  const value = JSON.parse(text) as unknown;
  return (typeof value === 'string' ? JSON.parse(value) : value) as OrchestratorState;
}

function dotNetTimeSpan(milliseconds: number): string {
  const total = Math.floor(milliseconds / 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const fraction =
    milliseconds % 1000 === 0 ? '' : `.${String(Math.floor(milliseconds % 1000)).padStart(3, '0')}0000`;
  const days = Math.floor(total / 86_400);
  return `${days}.${two(Math.floor(total / 3600) % 24)}:${two(Math.floor(total / 60) % 60)}:${two(total % 60)}${fraction}`;
}
