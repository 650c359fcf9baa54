import { randomUUID } from 'node:crypto';
import { AppProcessLost, FunctionFailed } from '../invocationErrors.ts';
import type { Log } from '../log.ts';
import { describe } from '../log.ts';
import type { InvocationResult, RegisteredFunction } from '../protocol.ts';
import { isTrigger } from '../protocol.ts';
import type { InvocationInput } from '../supervisor.ts';
import { jsonOf } from '../typedData.ts';
import type { OrchestratorState } from './actions.ts';
import type { EventBody, HistoryEvent } from './history.ts';
import { EventType, inHistory, isTerminal } from './history.ts';
import type { Decision, Outcome, Replayed } from './replay.ts';
import { replay } from './replay.ts';
import type { ActivityTask, InboxMessage, Instance, StepResult } from './store.ts';
import { DurableStore, startedEvent } from './store.ts';

/** Runs a function in some app process; throws the errors of invocationErrors.ts. */
export type Invoke = (fn: RegisteredFunction, input: InvocationInput) => Promise<InvocationResult>;

export interface DurableOptions {
  file: string;
  functions: readonly RegisteredFunction[];
  invoke: Invoke;
  log: Log;
  maxActivities: number;
  maxOrchestrators: number;
  storeInputs: boolean;
  maximumShortTimerMs: number;
  longTimerIntervalMs: number;
  /** 0 to 1: how often an activity is run twice, see `faults.repeatActivity`. */
  repeatActivity: number;
}

export interface DurableCounters {
  orchestrationSteps: number;
  activities: number;
  activitiesRepeated: number;
}

/** A refusal of the management API, with its HTTP status. */
export class DurableRefusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Largest payload the Durable Task Scheduler takes, and the size worth a warning (Azure Storage spills to blobs). */
const MAXIMUM_PAYLOAD_BYTES = 1_048_576;
const WARN_PAYLOAD_BYTES = 65_536;
const WARN_HISTORY_EVENTS = 1000;
const WARN_HISTORY_BYTES = 1_048_576;
/** Generations run in one go before other instances get their turn. */
const MAXIMUM_GENERATIONS_PER_STEP = 50;
const RETRY_AFTER_LOSS_MS = 250;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
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
  messages: StepResult['messages'][number][];
}

/** Runs orchestrations and activities from the store: one transaction per step, one step at a time per instance. */
export class DurableEngine {
  readonly counters: DurableCounters = { orchestrationSteps: 0, activities: 0, activitiesRepeated: 0 };
  readonly store: DurableStore;
  readonly #options: DurableOptions;
  readonly #activities = new Map<string, RegisteredFunction>();
  readonly #orchestrators = new Map<string, RegisteredFunction>();
  readonly #ready = new Set<string>();
  readonly #stepping = new Set<string>();
  readonly #queue: ActivityTask[] = [];
  readonly #running = new Set<number>();
  readonly #histories = new Map<string, HistoryEvent[]>();
  readonly #warnedExecutions = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #pumpQueued = false;
  #stopped = false;
  #whenIdle: (() => void) | undefined;

  constructor(options: DurableOptions) {
    this.#options = options;
    for (const fn of options.functions) {
      if (isTrigger(fn, 'activityTrigger')) this.#activities.set(fn.name.toLowerCase(), fn);
      if (isTrigger(fn, 'orchestrationTrigger')) this.#orchestrators.set(fn.name.toLowerCase(), fn);
    }
    this.store = new DurableStore(options.file);
  }

  /** Takes up what a former host left: due messages, timers and activities without a result. */
  start(): void {
    this.#queue.push(...this.store.pendingTasks());
    this.#scan();
  }

  /** Lets running steps and activities end for `graceMs`; what is still open then is redelivered at the next start. */
  async stop(graceMs = 2000): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    if (this.#stepping.size > 0 || this.#running.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs);
        this.#whenIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#closed = true;
    this.store.close();
  }
  /** Results that arrive after this are dropped; the store would throw. */
  #closed = false;

  /**
   * Starts an instance; `input` is JSON text.
   * @throws {DurableRefusal} unknown orchestrator, bad id, input too large, or id in use by a running instance.
   */
  create(name: string, wantedId: string | undefined, input: string | null): string {
    const orchestrator = this.#orchestrators.get(name.toLowerCase());
    if (orchestrator === undefined) throw new DurableRefusal(400, unknownOrchestrator(name));
    const id = wantedId === undefined || wantedId === '' ? randomUUID().replaceAll('-', '') : wantedId;
    checkInstanceId(id);
    this.#refuseLargePayload(input, `The input of instance '${id}'`);
    const existing = this.store.instance(id);
    if (existing !== undefined && !isTerminal(existing.status)) {
      throw new DurableRefusal(
        409,
        `An Orchestration instance with the status ${existing.status} already exists.`,
      );
    }
    this.#histories.delete(id);
    this.store.create(id, orchestrator.name, input);
    this.#wake(id);
    return id;
  }

  /** Queues an external event; `input` is JSON text. Events for ended instances vanish. */
  raise(id: string, name: string, input: string): void {
    this.#refuseLargePayload(input, `The event '${name}' for instance '${id}'`);
    this.store.addMessage(id, { EventType: EventType.EventRaised, Name: name, Input: input });
    this.#wake(id);
  }

  terminate(id: string, reason: string | null): void {
    this.store.addMessage(id, { EventType: EventType.ExecutionTerminated, Input: reason });
    this.#wake(id);
  }

  purge(ids: readonly string[]): void {
    this.store.purge(ids);
    for (const id of ids) this.#histories.delete(id);
  }

  #refuseLargePayload(payload: string | null, what: string): void {
    const bytes = Buffer.byteLength(payload ?? '');
    if (bytes > MAXIMUM_PAYLOAD_BYTES) {
      throw new DurableRefusal(
        413,
        `${what} has ${bytes} bytes; the Durable Task Scheduler takes at most ${MAXIMUM_PAYLOAD_BYTES}. Store it elsewhere and pass a reference.`,
      );
    }
    this.#warnAboutSize(bytes, what);
  }

  #warnAboutSize(bytes: number, what: string): void {
    if (bytes > WARN_PAYLOAD_BYTES)
      this.#options.log.warn(
        SOURCE,
        `${what} has ${bytes} bytes; keep durable payloads under ${WARN_PAYLOAD_BYTES}.`,
      );
  }

  // Scheduling

  #wake(id: string): void {
    this.#ready.add(id);
    this.#schedulePump();
  }

  #arm(dueMs: number): void {
    if (dueMs >= this.#timerDueMs || this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    this.#timer = setTimeout(() => this.#scan(), Math.min(Math.max(dueMs - Date.now(), 0), LONGEST_TIMER_MS));
  }

  #scan(): void {
    if (this.#stopped) return;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    const now = Date.now();
    for (const id of this.store.instanceIdsDue(now)) this.#ready.add(id);
    const next = this.store.nextDueMs(now);
    if (next !== undefined) this.#arm(next);
    this.#schedulePump();
  }

  #schedulePump(): void {
    if (this.#pumpQueued || this.#stopped) return;
    this.#pumpQueued = true;
    setImmediate(() => {
      this.#pumpQueued = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#stopped) return;
    for (const id of this.#ready) {
      if (this.#stepping.size >= this.#options.maxOrchestrators) break;
      if (this.#stepping.has(id)) continue;
      this.#ready.delete(id);
      this.#stepping.add(id);
      void this.#step(id)
        .catch((error: unknown) => this.#retryStep(id, error))
        .finally(() => {
          this.#stepping.delete(id);
          this.#settled();
        });
    }
    while (this.#running.size < this.#options.maxActivities) {
      const task = this.#queue.shift();
      if (task === undefined) break;
      this.#running.add(task.n);
      void this.#runActivity(task)
        .catch((error: unknown) => this.#retryActivity(task, error))
        .finally(() => {
          this.#running.delete(task.n);
          this.#settled();
        });
    }
  }

  #settled(): void {
    if (this.#stopped && this.#stepping.size === 0 && this.#running.size === 0) this.#whenIdle?.();
    this.#schedulePump();
  }

  #retryStep(id: string, error: unknown): void {
    if (this.#stopped) return;
    this.#options.log.warn(SOURCE, `step of instance ${id} is repeated: ${describe(error)}`);
    setTimeout(() => this.#wake(id), RETRY_AFTER_LOSS_MS);
  }

  #retryActivity(task: ActivityTask, error: unknown): void {
    if (this.#stopped) return;
    this.#options.log.warn(
      SOURCE,
      `activity '${task.name}' of instance ${task.instanceId} is redelivered: ${describe(error)}`,
    );
    setTimeout(() => {
      this.#queue.push(task);
      this.#schedulePump();
    }, RETRY_AFTER_LOSS_MS);
  }

  // Orchestrations

  async #step(id: string): Promise<void> {
    const messages = this.store.dueMessages(id, Date.now());
    if (messages.length === 0) return;
    const consumed = messages.map(({ n }) => n);
    const instance = this.store.instance(id);
    const begun =
      instance === undefined || isTerminal(instance.status) ? undefined : this.#begin(instance, messages);
    if (begun === undefined) {
      this.store.dropMessages(consumed);
      return;
    }
    this.counters.orchestrationSteps += 1;
    const step = await this.#runGenerations(begun);
    if (this.#closed) return;
    if (this.store.instance(id)?.executionId !== instance?.executionId) return; // purged or remade meanwhile
    const tasks = this.store.commitStep({
      instance: { ...step.instance, updatedAt: new Date().toISOString() },
      consumed,
      replacesHistory: step.replacesHistory,
      appended: step.fresh,
      firstSequence: step.base.length,
      activities: step.activities,
      messages: step.messages,
    });
    this.#queue.push(...tasks);
    if (isTerminal(step.instance.status)) this.#histories.delete(id);
    else this.#histories.set(id, step.base.concat(step.fresh));
    for (const { dueMs } of step.messages) {
      if (dueMs <= Date.now()) this.#ready.add(id);
      else this.#arm(dueMs);
    }
    this.#warnAboutHistory(step);
    this.#schedulePump();
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
    return { instance, base, fresh, replacesHistory: false, activities: [], messages: [] };
  }

  #historyOf(id: string): HistoryEvent[] {
    let history = this.#histories.get(id);
    if (history === undefined) {
      history = this.store.history(id);
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
      step.instance = { ...step.instance, customStatus, status: 'Running' };
      const tooLarge = this.#payloadProblem(step.instance, replayed.decisions, outcome);
      if (tooLarge !== undefined) return this.#end(step, { status: 'Failed', result: tooLarge });
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
    const fn = this.#orchestrators.get(instance.name.toLowerCase());
    const state: OrchestratorState =
      fn === undefined
        ? { isDone: false, actions: [[]], error: unknownOrchestrator(instance.name) }
        : await this.#callOrchestrator(fn, instance, history);
    const replayed = replay(state, history, {
      name: instance.name,
      activityExists: (name) => this.#activities.has(name.toLowerCase()),
      maximumShortTimerMs: this.#options.maximumShortTimerMs,
      longTimerIntervalMs: this.#options.longTimerIntervalMs,
    });
    if (replayed.problems.length > 0) {
      const result = `The local Functions host ended this instance, which would hang on Azure: ${replayed.problems.join('; ')}`;
      this.#options.log.error(SOURCE, `instance ${instance.id} (${instance.name}): ${result}`);
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
      parentInstanceId: null,
      upperSchemaVersion: 1,
      upperSchemaVersionNew: UPPER_SCHEMA_VERSION,
      maximumShortTimerDuration: dotNetTimeSpan(this.#options.maximumShortTimerMs),
      longRunningTimerIntervalDuration: dotNetTimeSpan(this.#options.longTimerIntervalMs),
      // The misspelling is part of the contract.
      defaultHttpAsyncRequestSleepTimeMillseconds: 30_000,
    };
    try {
      const { returnValue } = await this.#options.invoke(fn, {
        inputData: [{ name: fn.trigger.name, data: { string: JSON.stringify(value) } }],
      });
      return orchestratorState(returnValue?.json ?? returnValue?.string ?? 'null');
    } catch (error) {
      if (!(error instanceof FunctionFailed)) throw error; // process lost or timed out: the step runs again
      const marker = error.message.indexOf(OUT_OF_PROC_MARKER);
      if (marker >= 0) return orchestratorState(error.message.slice(marker + OUT_OF_PROC_MARKER.length));
      return { isDone: false, actions: [[]], error: error.message || 'Unknown error' };
    }
  }

  #payloadProblem(
    instance: Instance,
    decisions: readonly Decision[],
    outcome: Outcome | undefined,
  ): string | undefined {
    const payloads: [string, string | null][] = [
      [`The output of '${instance.name}'`, outcome?.result ?? null],
    ];
    for (const decision of decisions) {
      if (decision.kind === 'activity')
        payloads.push([`The input of activity '${decision.name}'`, decision.input]);
    }
    for (const [what, payload] of payloads) {
      try {
        this.#refuseLargePayload(payload, `${what} (instance '${instance.id}')`);
      } catch (error) {
        return describe(error);
      }
    }
    return undefined;
  }

  #apply(step: Step, decision: Decision): void {
    const { executionId } = step.instance;
    if (decision.kind === 'activity') {
      const { id: taskId, name, input } = decision;
      step.fresh.push(
        inHistory({
          EventType: EventType.TaskScheduled,
          EventId: taskId,
          Name: name,
          Version: '',
          Input: this.#options.storeInputs ? input : null,
        }),
      );
      step.activities.push({ executionId, taskId, name, input });
      return;
    }
    const FireAt = new Date(decision.fireAtMs).toISOString();
    step.fresh.push(inHistory({ EventType: EventType.TimerCreated, EventId: decision.id, FireAt }));
    step.messages.push({
      executionId,
      dueMs: decision.fireAtMs,
      event: { EventType: EventType.TimerFired, TimerId: decision.id, FireAt },
    });
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
      executionId: instance.executionId,
      dueMs: Date.now(),
      event: startedEvent(instance),
    });
    for (const { Name, Input } of fresh.filter(({ EventType: type }) => type === EventType.EventRaised)) {
      step.messages.push({
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
    return step;
  }

  #warnAboutHistory({ instance, base, fresh }: Step): void {
    const events = base.length + fresh.length;
    if (this.#warnedExecutions.has(instance.executionId) || events < WARN_HISTORY_EVENTS / 10) return;
    const tooMany = events > WARN_HISTORY_EVENTS;
    if (!tooMany && (events % 25 !== 0 || JSON.stringify(base).length < WARN_HISTORY_BYTES)) return;
    this.#warnedExecutions.add(instance.executionId);
    this.#options.log.warn(
      SOURCE,
      `instance ${instance.id} (${instance.name}) has a history of ${events} events; it is replayed in full at every step. Use continueAsNew.`,
    );
  }

  // Activities

  async #runActivity(task: ActivityTask): Promise<void> {
    const fn = this.#activities.get(task.name.toLowerCase());
    if (Math.random() < this.#options.repeatActivity && fn !== undefined) {
      this.counters.activitiesRepeated += 1;
      await this.#invokeActivity(fn, task).catch(() => undefined);
    }
    const event = await this.#activityEvent(fn, task);
    if (this.#closed) return;
    this.store.finishTask(task, event);
    this.#wake(task.instanceId);
  }

  async #activityEvent(fn: RegisteredFunction | undefined, task: ActivityTask): Promise<EventBody> {
    try {
      if (fn === undefined)
        throw new FunctionFailed(`The activity function '${task.name}' does not exist.`, '');
      const { returnValue } = await this.#invokeActivity(fn, task);
      const result = jsonOf(returnValue);
      this.#refuseLargePayload(
        result,
        `The result of activity '${task.name}' (instance '${task.instanceId}')`,
      );
      return { EventType: EventType.TaskCompleted, TaskScheduledId: task.taskId, Result: result };
    } catch (error) {
      if (error instanceof AppProcessLost || this.#stopped) throw error;
      const stack = error instanceof FunctionFailed ? error.appStack : '';
      return {
        EventType: EventType.TaskFailed,
        TaskScheduledId: task.taskId,
        // Two spaces: the host cuts its own text after "Exception:" and keeps the space.
        Reason: `Activity function '${task.name}' failed:  ${describe(error)}`,
        Details: JSON.stringify({
          $type: 'System.Exception, System.Private.CoreLib',
          ClassName: 'System.Exception',
          Message: ` ${describe(error)}`,
          StackTraceString: stack,
        }),
      };
    }
  }

  #invokeActivity(fn: RegisteredFunction, task: ActivityTask): Promise<InvocationResult> {
    this.counters.activities += 1;
    const [value] = JSON.parse(task.input) as [unknown];
    const data = value === null ? {} : { string: activityText(value) };
    return this.#options.invoke(fn, {
      inputData: [{ name: fn.trigger.name, data }],
      triggerMetadata: { instanceId: { string: task.instanceId }, data: { json: JSON.stringify(value) } },
    });
  }
}

const unknownOrchestrator = (name: string): string =>
  `The function '${name}' doesn't exist, is disabled, or is not an orchestrator function.`;

function orchestratorState(text: string): OrchestratorState {
  // One case arrives as a JSON text inside a JSON text.
  const value = JSON.parse(text) as unknown;
  return (typeof value === 'string' ? JSON.parse(value) : value) as OrchestratorState;
}

/** .NET writes booleans with a capital letter, so that they reach the handler as text. */
function activityText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return JSON.stringify(value);
}

function checkInstanceId(id: string): void {
  if (id.startsWith('@') || /[/\\#?\u0000-\u001f\u007f-\u009f]/.test(id)) {
    throw new DurableRefusal(
      400,
      'Orchestration instance ids must not start with @ or contain /, \\, #, ?, or control characters.',
    );
  }
  if (id.length > 100) throw new DurableRefusal(400, 'Instance ID lengths must not exceed 100 characters.');
}

function dotNetTimeSpan(milliseconds: number): string {
  const total = Math.floor(milliseconds / 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const fraction =
    milliseconds % 1000 === 0 ? '' : `.${String(Math.floor(milliseconds % 1000)).padStart(3, '0')}0000`;
  const days = Math.floor(total / 86_400);
  return `${days}.${two(Math.floor(total / 3600) % 24)}:${two(Math.floor(total / 60) % 60)}:${two(total % 60)}${fraction}`;
}
