import type { OrchestrationContext, OrchestrationHandler, Task } from 'durable-functions';

/** `nextLook`: milliseconds since 1970; null when nothing is left to supervise. */
export interface SupervisionRound {
  readonly nextLook: number | null;
}

/**
 * One round per generation: look after the session, sleep until the next look is due or something changed, begin anew. With a
 * second wait in the same generation a wake-up that comes during the activity would be lost. Frozen once shipped: a change
 * gets a new name.
 */
export const superviseSession_v1: OrchestrationHandler = function* (context: OrchestrationContext) {
  const session: unknown = context.df.getInput();
  const round: SupervisionRound = yield context.df.callActivity('superviseSession', session);
  if (round.nextLook === null) return;
  context.df.setCustomStatus({ nextLook: round.nextLook });
  const due = context.df.createTimer(new Date(round.nextLook));
  const changed = context.df.waitForExternalEvent('changed');
  const first: Task = yield context.df.Task.any([due, changed]);
  // An open timer would keep the instance running.
  if (first === changed) due.cancel();
  context.df.continueAsNew(session);
};
