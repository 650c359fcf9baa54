import { randomUUID } from 'node:crypto';
import type { AppProcessOptions, LoadedApp } from './appProcessHandle.ts';
import { AppProcessHandle } from './appProcessHandle.ts';
import { describe } from './log.ts';
import type { Outputs } from './outputs/outputs.ts';
import type {
  InvocationResult,
  NamedValue,
  RegisteredFunction,
  RetryContext,
  TypedData,
} from './protocol.ts';

const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 30_000;
/** A process that lived this long starts a new series of crashes. */
const STEADY_MS = 20_000;

export interface InvocationInput {
  inputData: NamedValue[];
  triggerMetadata?: Record<string, TypedData>;
  retryContext?: RetryContext;
  traceParent?: string;
  invocationId?: string;
}

/** How often a function succeeded and failed in this host's life. */
export interface InvocationCounters {
  succeeded: number;
  failed: number;
}

interface Slot {
  number: number;
  process: AppProcessHandle;
  app: LoadedApp | undefined;
  crashesInARow: number;
  startedAt: number;
}

/** Keeps N app processes running and spreads invocations over them. */
export class Supervisor {
  readonly #options: AppProcessOptions;
  readonly #slots: Slot[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #counters = new Map<string, InvocationCounters>();
  readonly #byProcess = new Map<number, number>();
  #functions: RegisteredFunction[] = [];
  #next = 0;
  #stopping = false;
  readonly #restarts = new Set<NodeJS.Timeout>();
  #outputs: Outputs | undefined;

  constructor(options: AppProcessOptions) {
    this.#options = options;
  }

  /** Starts all processes; rejects, with none left running, when one cannot load the app. */
  async start(count: number): Promise<void> {
    for (let number = 1; number <= count; number += 1) this.#slots.push(this.#spawn(number, 0));
    try {
      const apps = await Promise.all(this.#slots.map(({ process }) => process.loaded));
      this.#functions = apps[0]?.functions ?? [];
      for (const [index, app] of apps.entries()) {
        const slot = this.#slots[index];
        if (slot !== undefined) this.#ready(slot, app);
      }
    } catch (error) {
      this.#stopping = true;
      await Promise.all(this.#slots.map(({ process }) => process.stop(0)));
      throw error;
    }
  }

  /** An invocation has succeeded only when these have sent what it put out. */
  deliverTo(outputs: Outputs): void {
    this.#outputs = outputs;
  }

  get functions(): readonly RegisteredFunction[] {
    return this.#functions;
  }
  get pids(): number[] {
    return this.#slots.filter(({ process }) => process.alive).map(({ process }) => process.pid);
  }
  /** Successful invocations by the number of the app process, over its restarts. */
  get byProcess(): Record<string, number> {
    return Object.fromEntries(this.#byProcess);
  }

  get counters(): Record<string, InvocationCounters> {
    return Object.fromEntries(this.#counters);
  }

  /**
   * The next live process, in turn; waits while none is live.
   * @throws after `waitMs` without one, or when the host is stopping.
   */
  async acquire(waitMs = Number.POSITIVE_INFINITY): Promise<{ process: AppProcessHandle; app: LoadedApp }> {
    const deadline = Date.now() + waitMs;
    for (;;) {
      if (this.#stopping) throw new Error('The host is stopping.');
      for (let tried = 0; tried < this.#slots.length; tried += 1) {
        const slot = this.#slots[this.#next++ % this.#slots.length];
        if (slot?.app !== undefined && slot.process.alive) return { process: slot.process, app: slot.app };
      }
      if (Date.now() >= deadline) throw new Error('No app process is running; see the log for why they end.');
      await this.#untilReady(deadline - Date.now());
    }
  }

  #untilReady(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = Number.isFinite(waitMs) ? setTimeout(() => done(), waitMs) : undefined;
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
    });
  }

  /** Runs a function on the next process. Throws what {@link AppProcessHandle.invoke} throws. */
  async invoke(fn: RegisteredFunction, input: InvocationInput): Promise<InvocationResult> {
    const { process } = await this.acquire();
    return this.invokeOn(process, fn, input);
  }

  async invokeOn(
    process: AppProcessHandle,
    fn: RegisteredFunction,
    input: InvocationInput,
  ): Promise<InvocationResult> {
    const counters = this.#counters.get(fn.name) ?? { succeeded: 0, failed: 0 };
    this.#counters.set(fn.name, counters);
    const begun = performance.now();
    try {
      const result = await process.invoke(fn.name, {
        invocationId: input.invocationId ?? randomUUID(),
        functionId: fn.id,
        inputData: input.inputData,
        triggerMetadata: input.triggerMetadata ?? {},
        ...(input.retryContext !== undefined && { retryContext: input.retryContext }),
        ...(input.traceParent !== undefined && { traceParent: input.traceParent }),
      });
      await this.#outputs?.deliver(fn, result);
      counters.succeeded += 1;
      if (this.#options.logInvocations) {
        const took = Math.round(performance.now() - begun);
        this.#options.log.info(`app ${process.number}`, `${fn.name} succeeded in ${took} ms`);
      }
      this.#byProcess.set(process.number, (this.#byProcess.get(process.number) ?? 0) + 1);
      return result;
    } catch (error) {
      counters.failed += 1;
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    for (const wake of [...this.#waiting]) wake();
    await Promise.all(this.#slots.map(({ process }) => process.stop()));
  }

  #spawn(number: number, crashesInARow: number): Slot {
    const slot: Slot = {
      number,
      process: new AppProcessHandle(number, this.#options),
      app: undefined,
      crashesInARow,
      startedAt: Date.now(),
    };
    void slot.process.exited.then(() => this.#ended(slot));
    return slot;
  }

  #ready(slot: Slot, app: LoadedApp): void {
    slot.app = app;
    for (const wake of [...this.#waiting]) wake();
  }

  #ended(slot: Slot): void {
    if (this.#stopping || this.#functions.length === 0) return;
    const crashes = Date.now() - slot.startedAt > STEADY_MS ? 0 : slot.crashesInARow;
    const delay = Math.min(FIRST_BACKOFF_MS * 2 ** crashes, LONGEST_BACKOFF_MS);
    const { log } = this.#options;
    log.error(`app ${slot.number}`, `process ended (${slot.process.exitReason}); restarting in ${delay} ms`);
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      const fresh = this.#spawn(slot.number, crashes + 1);
      this.#slots[slot.number - 1] = fresh;
      fresh.process.loaded.then(
        (app) => {
          this.#warnIfChanged(slot.number, app.functions);
          log.info(`app ${slot.number}`, 'process restarted');
          this.#ready(fresh, app);
        },
        (error: unknown) => log.error(`app ${slot.number}`, describe(error)),
      );
    }, delay);
    this.#restarts.add(timer);
  }

  #warnIfChanged(number: number, functions: RegisteredFunction[]): void {
    const shape = (list: readonly RegisteredFunction[]) =>
      JSON.stringify([...list].sort((a, b) => (a.name < b.name ? -1 : 1)));
    if (shape(functions) !== shape(this.#functions)) {
      this.#options.log.warn(
        `app ${number}`,
        'the restarted app registers other functions than before; restart the host to use them',
      );
    }
  }
}
