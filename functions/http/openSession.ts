import { openSessionRequest } from '../../contracts/http.ts';
import { DomainError } from '../../domain/domainError.ts';
import { effectiveLimits, type Limits } from '../../domain/limits.ts';
import { refuseSwitchedOff } from '../../domain/settings/index.ts';
import { canonicalForm, sha256 } from '../../evidence/canonical.ts';
import { startSupervisor, supervisorInput } from '../adapters/supervisors.ts';
import type { Services } from '../services.ts';
import {
  onSession,
  onSlots,
  readDevice,
  readSession,
  readSettingsOf,
  releaseSlot,
} from '../streams/streams.ts';
import { bodyOf, idempotencyKeyOf, json, type Route, type Signed, signedIn } from './route.ts';
import { sessionResource } from './sessionResource.ts';

/** What a session is opened with, once it is admitted. */
interface Admission {
  readonly platform: string;
  readonly limits: Limits;
  readonly epoch: number;
}

/** Opens a session. The Idempotency-Key is its id, so the same request sent again is answered with the same session. */
export const openSession = (services: Services): Route => ({
  name: 'openSession',
  method: 'POST',
  path: 'sessions',
  extraInputs: [supervisorInput],
  handle: signedIn(services.tokens, ['Basic'], async (signed) => {
    const { caller, request, context, metadata } = signed;
    const { tenantId, actor } = caller;
    const sessionId = idempotencyKeyOf(request);
    const { deviceId, reason } = await bodyOf(request, openSessionRequest);
    const requestHash = sha256(canonicalForm({ deviceId, reason, userId: actor.id }));
    const { state: known } = await readSession(services, tenantId, sessionId);
    const { platform, limits, epoch } =
      known.status === 'none' ? await admit(services, signed, sessionId, deviceId) : known;
    const { head, events } = await onSession(services, tenantId, sessionId, metadata(sessionId), (now) => ({
      type: 'RequestSession',
      sessionId,
      deviceId,
      userId: actor.id,
      userName: actor.name,
      epoch,
      reason,
      platform,
      limits,
      requestHash,
      now,
    })).catch(async (error: unknown) => {
      if (error instanceof DomainError && error.code === 'SESSION_ABANDONED') {
        await releaseSlot(services, tenantId, sessionId, 'Abandoned', metadata(sessionId));
      }
      throw error;
    });
    services.surroundings.passes('session-requested');
    if (head.state.status !== 'ended') await startSupervisor(context, tenantId, sessionId);
    return json(events.length > 0 ? 201 : 200, await sessionResource(services, tenantId, head));
  }),
});

/** Whether this device may be reached, and a slot for the session. */
const admit = async (
  services: Services,
  { caller, metadata }: Signed,
  sessionId: string,
  deviceId: string,
): Promise<Admission> => {
  const { tenantId, actor } = caller;
  const [{ state: device }, { state: settings }] = await Promise.all([
    readDevice(services, tenantId, deviceId),
    readSettingsOf(services, tenantId),
  ]);
  if (device.status !== 'enrolled') {
    throw new DomainError(
      'DEVICE_UNKNOWN',
      'There is no such device, or you may not see it. List the devices to find its id.',
    );
  }
  refuseSwitchedOff(settings, device);
  const limits = effectiveLimits(settings.limits);
  const { head } = await onSlots(services, tenantId, metadata(sessionId), (now) => ({
    type: 'TakeSlot',
    sessionId,
    deviceId,
    userId: actor.id,
    limits,
    now,
  }));
  services.surroundings.passes('slot-taken');
  const holder = head.state.holders[sessionId];
  if (holder === undefined) throw new Error(`The slot of session ${sessionId} is not where it was put.`);
  return { platform: device.platform, limits, epoch: holder.epoch };
};
