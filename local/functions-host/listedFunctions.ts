import type { RegisteredFunction } from './protocol.ts';
import type { Routes } from './routes.ts';
import { inNameOrder } from './routes.ts';
import type { Settings } from './settings.ts';
import { expandSettings } from './settings.ts';

/** A function as a person looks for it. */
export interface ListedFunction {
  name: string;
  /** Without the word trigger: http, timer, orchestration … */
  trigger: string;
  /** What fires it: methods and URL, schedule, queue, container; empty for what only other functions call. */
  firedBy: string;
}

export function listFunctions(
  functions: readonly RegisteredFunction[],
  routes: Routes,
  origin: string,
  settings: Settings,
): ListedFunction[] {
  return inNameOrder(functions).map((fn) => ({
    name: fn.name,
    trigger: fn.trigger.type.replace(/trigger$/i, ''),
    firedBy: expandSettings(firedBy(fn, routes, origin), settings, `Function '${fn.name}'`),
  }));
}

function firedBy(fn: RegisteredFunction, routes: Routes, origin: string): string {
  const { trigger } = fn;
  const place = routes.placeOf(fn);
  if (place !== undefined) {
    const level = String(trigger.authLevel ?? 'anonymous').toLowerCase();
    const key = level === 'anonymous' ? '' : ` (${level === 'function' ? 'host' : 'master'} key)`;
    return `${place.methods.join(',')} ${origin}/${place.template}${key}`;
  }
  if (trigger.schedule !== undefined) return String(trigger.schedule);
  if (trigger.queueName !== undefined) return `queue ${String(trigger.queueName)}`;
  if (trigger.topicName !== undefined) {
    return `topic ${String(trigger.topicName)}, subscription ${String(trigger.subscriptionName)}`;
  }
  if (trigger.containerName !== undefined) {
    return `container ${String(trigger.databaseName)}/${String(trigger.containerName)}`;
  }
  return '';
}
