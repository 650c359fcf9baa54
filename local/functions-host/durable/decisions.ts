import type { HistoryEvent } from './history.ts';

/** The built-in activity behind callHttp. */
export const HTTP_ACTIVITY = 'BuiltIn::HttpActivity';

/** New work that a step decided on; inputs are JSON text. */
export type NewDecision =
  | { kind: 'activity'; name: string; input: string }
  | {
      kind: 'sub-orchestration';
      name: string;
      instanceId: string;
      input: string | null;
      version: string | undefined;
    }
  | { kind: 'send'; name: string; target: string; input: string }
  | { kind: 'timer'; fireAtMs: number };

export type Decision = NewDecision & { id: number };

const kindNames: Record<Decision['kind'], string> = {
  activity: 'activity task',
  'sub-orchestration': 'sub-orchestration',
  send: 'send event task',
  timer: 'timer task',
};

/** Why a recorded decision does not fit what the code decides now; undefined when it fits. */
export function mismatch(
  event: HistoryEvent,
  kind: Decision['kind'],
  decision: Decision | undefined,
): string | undefined {
  const named = event.Name === undefined ? '' : ` and name '${event.Name}'`;
  const before = `Non-Deterministic workflow detected: A previous execution of this orchestration scheduled a ${kindNames[kind]} with sequence ID ${event.EventId}${named}`;
  const hint = 'Was a change made to the orchestrator code after this instance had already started running?';
  if (decision === undefined) {
    return `${before}, but the current replay execution hasn't (yet?) scheduled this task. ${hint}`;
  }
  if (decision.kind !== kind) {
    return `${before}, but the current orchestration replay instead produced a ${kindNames[decision.kind]} with this sequence number. ${hint}`;
  }
  if (decision.kind !== 'timer' && decision.name.toLowerCase() !== event.Name?.toLowerCase()) {
    return `${before}, but the current orchestration replay instead scheduled '${decision.name}'. ${hint}`;
  }
  return undefined;
}
