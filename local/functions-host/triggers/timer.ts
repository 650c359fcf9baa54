import { Cron } from 'croner';
import { describe } from '../log.ts';
import type { RegisteredFunction } from '../protocol.ts';
import { expandSettings } from '../settings.ts';
import type { TimerState, TimerStatus } from './timerState.ts';
import type { Listener, TriggerContext } from './trigger.ts';

const NEVER = '0001-01-01T00:00:00.000Z';
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Schedules denser than this are not monitored. */
const MONITORED_GAP_MS = 60_000;

/**
 * Runs a timer function on its schedule (UTC, 5 fields or 6 with seconds first), never over itself. With `useMonitor`
 * an occurrence missed while the host was down fires once at the start.
 * @throws when the schedule cannot be read.
 */
export function startTimer(fn: RegisteredFunction, state: TimerState, context: TriggerContext): Listener {
  return new TimerListener(fn, state, context);
}

class TimerListener implements Listener {
  readonly #fn: RegisteredFunction;
  readonly #state: TimerState;
  readonly #context: TriggerContext;
  readonly #cron: Cron;
  readonly #monitored: boolean;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(fn: RegisteredFunction, state: TimerState, context: TriggerContext) {
    this.#fn = fn;
    this.#state = state;
    this.#context = context;
    this.#cron = parseSchedule(fn, context);
    const [first, second] = this.#cron.nextRuns(2);
    const gap =
      first !== undefined && second !== undefined
        ? second.getTime() - first.getTime()
        : Number.POSITIVE_INFINITY;
    this.#monitored = fn.trigger.useMonitor !== false && gap >= MONITORED_GAP_MS;
    const status = this.#monitored ? state.read(fn.name) : undefined;
    const missed = status !== undefined && Date.parse(status.next) <= Date.now();
    if (this.#monitored && status === undefined) this.#remember(NEVER);
    if (missed) this.#run(true, status);
    else if (fn.trigger.runOnStartup === true) this.#run(false, status);
    else this.#arm();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #arm(): void {
    if (this.#stopped) return;
    const next = this.#cron.nextRun();
    if (next === null) return;
    this.#armFor(next.getTime());
  }

  #armFor(dueMs: number): void {
    const wait = dueMs - Date.now();
    this.#timer = setTimeout(
      () =>
        Date.now() < dueMs
          ? this.#armFor(dueMs)
          : this.#run(false, this.#monitored ? this.#state.read(this.#fn.name) : undefined),
      Math.min(Math.max(wait, 0), LONGEST_TIMER_MS),
    );
  }

  #run(isPastDue: boolean, status: TimerStatus | undefined): void {
    const startedAt = new Date().toISOString();
    const value = {
      Schedule: { AdjustForDST: true },
      ScheduleStatus:
        status === undefined
          ? null
          : { Last: status.last, Next: status.next, LastUpdated: status.lastUpdated },
      IsPastDue: isPastDue,
    };
    this.#running = this.#context
      .invoke(this.#fn, {
        inputData: [
          { name: this.#fn.trigger.name, data: { json: JSON.stringify(value) } },
          ...this.#context.extraInputs(this.#fn),
        ],
      })
      .then(
        () => undefined,
        (error: unknown) => this.#context.log.error('host', `${this.#fn.name} failed: ${describe(error)}`),
      )
      .then(() => {
        // A failed run counts as run; the next is armed only now, so a timer never overlaps itself.
        if (this.#monitored && !this.#stopped) this.#remember(startedAt);
        this.#arm();
      });
  }

  #remember(last: string): void {
    const next = this.#cron.nextRun()?.toISOString() ?? '9999-12-31T23:59:59.999Z';
    this.#state.write(this.#fn.name, { last, next, lastUpdated: new Date().toISOString() });
  }
}

function parseSchedule(fn: RegisteredFunction, { settings }: TriggerContext): Cron {
  const where = `Function '${fn.name}', schedule`;
  const schedule = expandSettings(String(fn.trigger.schedule ?? ''), settings, where).trim();
  if (!/^\S+( +\S+){4,5}$/.test(schedule)) {
    throw new Error(
      `${where}: '${schedule}' is not a cron expression of 5 fields, or 6 with seconds first. Time spans are not allowed on serverless plans.`,
    );
  }
  try {
    // NCRONTAB wants day of month and day of week both to match.
    return new Cron(schedule, { timezone: 'UTC', paused: true, domAndDow: true });
  } catch (error) {
    throw new Error(`${where}: '${schedule}' cannot be read: ${describe(error)}`);
  }
}
