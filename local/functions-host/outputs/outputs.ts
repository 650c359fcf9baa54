import type { Binding, InvocationResult, RegisteredFunction } from '../protocol.ts';
import type { Settings } from '../settings.ts';

/** Sends what functions put into their output bindings. */
export interface Outputs {
  /** @throws {FunctionFailed} when something cannot be sent: the invocation has failed then, as on Azure. */
  deliver(fn: RegisteredFunction, result: InvocationResult): Promise<void>;
  close(): Promise<void>;
}

export const isServiceBusOutput = ({ type, direction }: Binding): boolean =>
  direction === 'out' && type.toLowerCase() === 'servicebus';

/** @throws when a binding names no queue or topic, or a setting is missing. */
export async function openOutputs(
  functions: readonly RegisteredFunction[],
  settings: Settings,
): Promise<Outputs | undefined> {
  if (!functions.some((fn) => Object.values(fn.bindings).some(isServiceBusOutput))) return undefined;
  // Loaded on demand: the SDK costs start-up time that an app without such bindings should not pay.
  const { ServiceBusOutputs } = await import('./serviceBusOutputs.ts');
  return new ServiceBusOutputs(functions, settings);
}
