import type { RegisteredFunction } from '../protocol.ts';
import type { Settings } from '../settings.ts';
import type { Outputs } from './outputs.ts';
import { isServiceBusOutput } from './outputs.ts';

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
