import type { InvocationContext } from '@azure/functions';
import type { SessionCommand, SessionEvent, SessionState } from '../../domain/session/index.ts';
import {
  dueDecisions,
  isSettled,
  parseIso,
  session,
  sessionFold,
  sessionStream,
} from '../../domain/session/index.ts';
import type { Services } from '../services.ts';
import { decideAndAppend } from '../streams/decideAndAppend.ts';
import { resendCommand, sendCancel, sendClose, sendOpen } from '../streams/delivery.ts';
import { bySystem } from '../streams/metadata.ts';
import { readSession, releaseSlot } from '../streams/streams.ts';
import type { SupervisionRound } from '../workflows/superviseSession.ts';

export interface SupervisedSession {
  readonly tenantId: string;
  readonly sessionId: string;
}

/**
 * One look at a session: makes the decisions that are due, sends what should have arrived by now, gives the slot back when it
 * has ended. May run any number of times: every step is harmless when repeated.
 */
export const superviseSession =
  (services: Services) =>
  async (
    { tenantId, sessionId }: SupervisedSession,
    context: InvocationContext,
  ): Promise<SupervisionRound> => {
    const metadata = bySystem('supervision');
    const known = await readSession(services, tenantId, sessionId);
    if (known.state.status === 'none') return { nextLook: null };
    const heardAt = await services.presence.heardAt(tenantId, known.state.deviceId, sessionId);
    const { head } = await decideAndAppend(
      services,
      { tenantId, streamId: sessionStream(sessionId), fold: sessionFold, head: known },
      metadata,
      (state, now) => decideAll(state, dueDecisions(state, heardAt, now).decisions),
    );
    const { state } = head;
    const due = dueDecisions(state, heardAt, services.surroundings.now());
    await sendWhatIsDue(services, tenantId, state, due.resend, context);
    if (state.status === 'ended') {
      services.surroundings.passes('session-ended');
      await releaseSlot(services, tenantId, sessionId, state.end ?? 'Ended', metadata);
    }
    return {
      nextLook: isSettled(state) ? null : (due.nextLook ?? parseIso(services.surroundings.now()) + 1000),
    };
  };

/** Several decisions of one look become one append: each is taken on the state that the ones before it leave. */
const decideAll = (state: SessionState, commands: readonly SessionCommand[]): readonly SessionEvent[] => {
  let current = state;
  const events: SessionEvent[] = [];
  for (const command of commands) {
    for (const event of session.decide(command, current)) {
      events.push(event);
      current = session.evolve(current, event);
    }
  }
  return events;
};

/** A failure to send is not the end of supervision: the next look sends again. */
const sendWhatIsDue = async (
  services: Services,
  tenantId: string,
  state: SessionState,
  resend: readonly string[],
  context: InvocationContext,
): Promise<void> => {
  const sending: Promise<void>[] = [];
  if (state.status === 'opening') sending.push(sendOpen(services, tenantId, state));
  if (state.status === 'ended' && state.deviceId !== '' && state.epoch > 0)
    sending.push(sendClose(services, tenantId, state));
  for (const command of Object.values(state.open)) {
    if (command.cancelRequestedAt !== null)
      sending.push(sendCancel(services, tenantId, state, command.commandId, 'cancel requested'));
  }
  for (const commandId of resend) sending.push(resendCommand(services, tenantId, state, commandId));
  for (const outcome of await Promise.allSettled(sending)) {
    if (outcome.status === 'rejected')
      context.warn(
        `session ${state.sessionId}: a message to the device could not be sent: ${String(outcome.reason)}`,
      );
  }
};
