import type { InvocationContext } from '@azure/functions';
import { parseIso } from '../../domain/session/index.ts';
import type { SlotHolder } from '../../domain/slots/index.ts';
import { ensureFor } from '../feed/ensureSupervision.ts';
import type { Services } from '../services.ts';
import { bySystem } from '../streams/metadata.ts';
import { onSession, readSession, readSlots, releaseSlot } from '../streams/streams.ts';

/** A slot whose session was not requested by then belongs to an opener that died. */
const abandonedAfterMs = 120_000;

/** Compares the slots of every tenant with the heads of their sessions and mends what a crash left behind. */
export const reconcile =
  (services: Services) =>
  async (context: InvocationContext): Promise<void> => {
    for (const tenantId of services.tenants) {
      const { state } = await readSlots(services, tenantId);
      for (const holder of Object.values(state.holders))
        await reconcileSlot(services, tenantId, holder, context);
    }
  };

const reconcileSlot = async (
  services: Services,
  tenantId: string,
  holder: SlotHolder,
  context: InvocationContext,
): Promise<void> => {
  const { sessionId, deviceId, takenAt } = holder;
  const metadata = bySystem('reconciliation');
  const { state } = await readSession(services, tenantId, sessionId);
  if (state.status === 'none') {
    if (parseIso(services.surroundings.now()) - parseIso(takenAt) < abandonedAfterMs) return;
    // First the fence: a late opener then finds the stream taken. Only then the slot.
    const { head } = await onSession(services, tenantId, sessionId, metadata, (now) => ({
      type: 'AbandonSession',
      sessionId,
      deviceId,
      reason: 'Its opener did not come back.',
      now,
    }));
    if (head.state.status !== 'ended') return;
    context.warn(`session ${sessionId} was abandoned by its opener; its slot is free again`);
    await releaseSlot(services, tenantId, sessionId, 'Abandoned', metadata);
    return;
  }
  if (state.status === 'ended')
    await releaseSlot(services, tenantId, sessionId, state.end ?? 'Ended', metadata);
  await ensureFor(services, tenantId, sessionId, context);
};
