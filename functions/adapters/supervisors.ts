import type { InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';

/** Name of the orchestration: stored in every running instance, so frozen once shipped. */
export const supervisorName = 'superviseSession_v1';
export const changed = 'changed';

/** The supervisor of a session has the session's id. `nextLook` is when it wakes by itself, milliseconds since 1970. */
export interface Supervision {
  readonly running: boolean;
  readonly nextLook: number | null;
}

export const supervisorInput = df.input.durableClient();

/** Starts the supervisor unless it runs; a session has at most one. */
export const startSupervisor = async (
  context: InvocationContext,
  tenantId: string,
  sessionId: string,
): Promise<void> => {
  if ((await supervisionOf(context, sessionId)).running) return;
  try {
    await df
      .getClient(context)
      .startNew(supervisorName, { instanceId: sessionId, input: { tenantId, sessionId } });
  } catch (error) {
    // Another instance may have been faster: then there is one, which is what was wanted.
    if (!(await supervisionOf(context, sessionId)).running) throw error;
  }
};

/** Wakes the supervisor. The payload is required: without one the host refuses the event. */
export const wakeSupervisor = (context: InvocationContext, sessionId: string): Promise<void> =>
  df.getClient(context).raiseEvent(sessionId, changed, { at: context.invocationId });

export const supervisionOf = async (context: InvocationContext, sessionId: string): Promise<Supervision> => {
  let status: df.DurableOrchestrationStatus;
  try {
    status = await df.getClient(context).getStatus(sessionId);
  } catch (error) {
    if (isUnknown(error)) return { running: false, nextLook: null };
    throw error;
  }
  const running = ['Running', 'Pending', 'ContinuedAsNew', 'Suspended'].includes(status.runtimeStatus);
  const custom = status.customStatus as { readonly nextLook?: unknown } | null | undefined;
  return { running, nextLook: typeof custom?.nextLook === 'number' ? custom.nextLook : null };
};

/** The client throws for an unknown instance, with the status only in its text. */
const isUnknown = (error: unknown): boolean => error instanceof Error && /404|not found/i.test(error.message);
