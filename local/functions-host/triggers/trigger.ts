import type { Log } from '../log.ts';
import type { InvocationResult, NamedValue, RegisteredFunction } from '../protocol.ts';
import type { Settings } from '../settings.ts';
import type { InvocationInput } from '../supervisor.ts';

/** A running trigger listener. */
export interface Listener {
  /** Stops taking new work and waits for what runs. */
  stop(): Promise<void>;
}

/** What every trigger gets from the host. */
export interface TriggerContext {
  settings: Settings;
  log: Log;
  /** Runs the function in some app process; throws the errors of invocationErrors.ts. */
  invoke(fn: RegisteredFunction, input: InvocationInput): Promise<InvocationResult>;
  /** Inputs beside the trigger, such as the durable client. */
  extraInputs(fn: RegisteredFunction): NamedValue[];
}
