import type { HostJson } from '../hostJson.ts';
import type { Log } from '../log.ts';
import type { InvocationResult, RegisteredFunction } from '../protocol.ts';
import type { InvocationInput } from '../supervisor.ts';
import type { FunctionTable } from './functionTable.ts';
import type { DurableStore } from './store.ts';

/** Runs a function in some app process; throws the errors of invocationErrors.ts. */
export type Invoke = (fn: RegisteredFunction, input: InvocationInput) => Promise<InvocationResult>;

export interface DurableSettings extends Omit<HostJson['durable'], 'hubName'> {
  invoke: Invoke;
  log: Log;
  maximumShortTimerMs: number;
  longTimerIntervalMs: number;
  /** 0 to 1: how often an activity is run twice, see `faults.repeatActivity`. */
  repeatActivity: number;
}

export interface DurableCounters {
  orchestrationSteps: number;
  activities: number;
  activitiesRepeated: number;
  entityBatches: number;
}

/** What the runners of orchestrations, activities and entities share. */
export interface EngineContext extends DurableSettings {
  store: DurableStore;
  functions: FunctionTable;
  counters: DurableCounters;
  /** Results that arrive after this are dropped; the store would throw. */
  isClosed(): boolean;
  isStopping(): boolean;
}
