import type { HostJson } from '../hostJson.ts';
import type { RegisteredFunction } from '../protocol.ts';
import { isTrigger } from '../protocol.ts';
import { startTimer } from './timer.ts';
import type { TimerState } from './timerState.ts';
import type { Listener, TriggerContext } from './trigger.ts';

/** Starts the listeners of all triggers the host itself serves; stops the started ones when one cannot start. */
export async function startListeners(
  functions: readonly RegisteredFunction[],
  hostJson: HostJson,
  timers: TimerState,
  context: TriggerContext,
): Promise<Listener[]> {
  const started: Listener[] = [];
  try {
    for (const fn of functions) {
      const listener = await startListener(fn, hostJson, timers, context);
      if (listener !== undefined) started.push(listener);
    }
    return started;
  } catch (error) {
    await Promise.all(started.map((listener) => listener.stop()));
    throw error;
  }
}

async function startListener(
  fn: RegisteredFunction,
  hostJson: HostJson,
  timers: TimerState,
  context: TriggerContext,
): Promise<Listener | undefined> {
  if (isTrigger(fn, 'timerTrigger')) return startTimer(fn, timers, context);
  // Loaded on demand: the SDKs cost start-up time that an app without such triggers should not pay.
  if (isTrigger(fn, 'serviceBusTrigger')) {
    const { startServiceBusTrigger } = await import('./serviceBus.ts');
    return startServiceBusTrigger(fn, hostJson.serviceBus, context);
  }
  if (isTrigger(fn, 'cosmosDBTrigger')) {
    const { startCosmosFeed } = await import('./cosmosFeed.ts');
    return startCosmosFeed(fn, context);
  }
  return undefined;
}
