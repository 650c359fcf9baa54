import { randomUUID } from 'node:crypto';
import { describe } from '../log.ts';
import type { RegisteredFunction } from '../protocol.ts';
import { ActivityRunner } from './activityRunner.ts';
import type { DurableCounters, DurableSettings, EngineContext } from './engineContext.ts';
import { entityEvent, entityInstanceId, isEntityId, OPERATION } from './entityMessages.ts';
import { EntityRunner } from './entityRunner.ts';
import { FunctionTable, missingFunction } from './functionTable.ts';
import { EventType, isTerminal } from './history.ts';
import { checkInstanceId } from './instanceIds.ts';
import type { StepOutput } from './orchestrationRunner.ts';
import { OrchestrationRunner } from './orchestrationRunner.ts';
import { checkPayload } from './payloadLimits.ts';
import { DurableRefusal } from './refusal.ts';
import type { ActivityTask } from './store.ts';
import { DurableStore } from './store.ts';

export interface DurableOptions extends DurableSettings {
  file: string;
  functions: readonly RegisteredFunction[];
}

const RETRY_AFTER_LOSS_MS = 250;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const SOURCE = 'durable';

/** Runs orchestrations, entities and activities from the store; of one instance only one step at a time. */
export class DurableEngine {
  readonly counters: DurableCounters = {
    orchestrationSteps: 0,
    activities: 0,
    activitiesRepeated: 0,
    entityBatches: 0,
  };
  readonly store: DurableStore;
  readonly #options: DurableOptions;
  readonly #functions: FunctionTable;
  readonly #orchestrations: OrchestrationRunner;
  readonly #entities: EntityRunner;
  readonly #activityRunner: ActivityRunner;
  readonly #ready = new Set<string>();
  readonly #stepping = { orchestrations: new Set<string>(), entities: new Set<string>() };
  readonly #queue: ActivityTask[] = [];
  readonly #running = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #pumpQueued = false;
  #stopped = false;
  #closed = false;
  #whenIdle: (() => void) | undefined;

  constructor(options: DurableOptions) {
    this.#options = options;
    this.#functions = new FunctionTable(options.functions);
    this.store = new DurableStore(options.file);
    const context: EngineContext = {
      ...options,
      store: this.store,
      functions: this.#functions,
      counters: this.counters,
      isClosed: () => this.#closed,
      isStopping: () => this.#stopped,
    };
    this.#orchestrations = new OrchestrationRunner(context);
    this.#entities = new EntityRunner(context);
    this.#activityRunner = new ActivityRunner(context);
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
    if (this.#busy > 0) {
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

  get #busy(): number {
    return this.#stepping.orchestrations.size + this.#stepping.entities.size + this.#running.size;
  }

  /**
   * Starts an instance; `input` is JSON text.
   * @throws {DurableRefusal} unknown orchestrator, bad id, input too large, or id in use by a running instance.
   */
  create(name: string, wantedId: string | undefined, input: string | null, version?: string): string {
    const orchestrator = this.#functions.find('orchestrator', name);
    if (orchestrator === undefined) throw new DurableRefusal(400, missingFunction('orchestrator', name));
    const id = wantedId === undefined || wantedId === '' ? randomUUID().replaceAll('-', '') : wantedId;
    checkInstanceId(id);
    this.#check(input, `The input of instance '${id}'`);
    const existing = this.store.instance(id);
    if (existing !== undefined && !isTerminal(existing.status)) {
      throw new DurableRefusal(
        409,
        `An Orchestration instance with the status ${existing.status} already exists.`,
      );
    }
    this.#orchestrations.forget(id);
    this.store.create({
      id,
      name: orchestrator.name,
      input,
      version: version ?? this.#options.defaultVersion,
      parent: null,
    });
    this.#wake(id);
    return id;
  }

  /** Queues an external event; `input` is JSON text. Events for ended instances vanish. */
  raise(id: string, name: string, input: string): void {
    this.#check(input, `The event '${name}' for instance '${id}'`);
    this.store.addMessage(id, { EventType: EventType.EventRaised, Name: name, Input: input });
    this.#wake(id);
  }

  /** Ends, stops or continues an instance at its next step. */
  control(id: string, what: 'terminate' | 'suspend' | 'resume', reason: string | null): void {
    const event = {
      terminate: { EventType: EventType.ExecutionTerminated, Input: reason },
      suspend: { EventType: EventType.ExecutionSuspended, Reason: reason },
      resume: { EventType: EventType.ExecutionResumed, Reason: reason },
    }[what];
    this.store.addMessage(id, event);
    this.#wake(id);
  }

  /**
   * Signals an entity; `input` is JSON text.
   * @throws {DurableRefusal} unknown entity function, or input too large.
   */
  signal(name: string, key: string, operation: string, input: string | null): void {
    if (this.#functions.find('entity', name) === undefined) {
      throw new DurableRefusal(400, missingFunction('entity', name));
    }
    const id = entityInstanceId(name, key);
    this.#check(input, `The input of operation '${operation}' for entity '${id}'`);
    this.store.addMessage(
      id,
      entityEvent(OPERATION, {
        id: randomUUID(),
        op: operation,
        signal: true,
        ...(input !== null && { input }),
      }),
    );
    this.#wake(id);
  }

  purge(ids: readonly string[]): void {
    for (const released of this.store.purge(ids)) this.#wake(released);
    for (const id of ids) this.#orchestrations.forget(id);
  }

  #check(payload: string | null, what: string): void {
    checkPayload(payload, what, this.#options.log);
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
    const { orchestrations, entities } = this.#stepping;
    for (const id of this.#ready) {
      const [stepping, most] = isEntityId(id)
        ? [entities, this.#options.maxEntities]
        : [orchestrations, this.#options.maxOrchestrators];
      if (stepping.size >= most || stepping.has(id)) continue;
      this.#ready.delete(id);
      stepping.add(id);
      void this.#step(id)
        .catch((error: unknown) => this.#retryStep(id, error))
        .finally(() => {
          stepping.delete(id);
          this.#settled();
        });
    }
    while (this.#running.size < this.#options.maxActivities) {
      const task = this.#queue.shift();
      if (task === undefined) break;
      this.#running.add(task.n);
      void this.#activityRunner
        .run(task)
        .then(() => this.#wake(task.instanceId))
        .catch((error: unknown) => this.#retryActivity(task, error))
        .finally(() => {
          this.#running.delete(task.n);
          this.#settled();
        });
    }
  }

  async #step(id: string): Promise<void> {
    const output: StepOutput | undefined = isEntityId(id)
      ? await this.#entities.run(id)
      : await this.#orchestrations.run(id);
    if (output === undefined) return;
    this.#queue.push(...output.activities);
    for (const wake of output.wakes) {
      if (wake.dueMs <= Date.now()) this.#ready.add(wake.id);
      else this.#arm(wake.dueMs);
    }
    this.#schedulePump();
  }

  #settled(): void {
    if (this.#stopped && this.#busy === 0) this.#whenIdle?.();
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
}
