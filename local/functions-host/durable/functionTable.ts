import type { RegisteredFunction } from '../protocol.ts';
import { isTrigger } from '../protocol.ts';

export type DurableKind = 'activity' | 'orchestrator' | 'entity';

const triggers: Record<DurableKind, string> = {
  activity: 'activityTrigger',
  orchestrator: 'orchestrationTrigger',
  entity: 'entityTrigger',
};

/** The durable functions of an app, found by name without regard to case. */
export class FunctionTable {
  readonly #byKind: Record<DurableKind, Map<string, RegisteredFunction>> = {
    activity: new Map(),
    orchestrator: new Map(),
    entity: new Map(),
  };

  constructor(functions: readonly RegisteredFunction[]) {
    for (const kind of Object.keys(triggers) as DurableKind[]) {
      for (const fn of functions) {
        if (isTrigger(fn, triggers[kind])) this.#byKind[kind].set(fn.name.toLowerCase(), fn);
      }
    }
  }

  find(kind: DurableKind, name: string): RegisteredFunction | undefined {
    return this.#byKind[kind].get(name.toLowerCase());
  }
}

export const missingFunction = (kind: DurableKind, name: string): string =>
  `The function '${name}' doesn't exist, is disabled, or is not an ${kind} function.`;
