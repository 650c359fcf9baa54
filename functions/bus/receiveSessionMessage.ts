import type { InvocationContext } from '@azure/functions';
import { ZodError } from 'zod';
import { parseSessionMessage, type UpwardMessage } from '../../contracts/device.ts';
import { DomainError } from '../../domain/domainError.ts';
import type { AppendMetadata } from '../../domain/eventStore.ts';
import type { SessionState, VerifiedMessage } from '../../domain/session/index.ts';
import { messageHash } from '../../evidence/deviceSignature.ts';
import type { Services } from '../services.ts';
import { onSession, releaseSlot } from '../streams/streams.ts';
import { checkMessage, type DeviceKeys, recordRefused } from './deviceMessage.ts';
import { retryingStorage } from './retryingStorage.ts';

/**
 * One message of a live session. A message that cannot be believed or cannot be true is recorded and done with: throwing would
 * block the queue of its session. A fault of the store is retried here, then thrown, so that the broker delivers it again.
 */
export const receiveSessionMessage =
  (services: Services, keys: DeviceKeys) =>
  async (body: unknown, context: InvocationContext): Promise<void> => {
    const messageId = String(context.triggerMetadata?.['messageId'] ?? context.invocationId);
    await retryingStorage(services, async () => {
      const checked = await checkMessage(body, keys, services.tenants);
      if (!checked.ok) return recordRefused(services, body, messageId, checked);
      try {
        await apply(services, checked.message);
      } catch (error) {
        if (error instanceof ZodError) {
          return recordRefused(services, body, messageId, {
            code: 'MESSAGE_MALFORMED',
            reason: error.message.slice(0, 1000),
          });
        }
        if (error instanceof DomainError && error.code !== 'STORE_BUSY') {
          return recordRefused(services, body, messageId, { code: error.code, reason: error.message });
        }
        throw error;
      }
    });
  };

const apply = async (services: Services, message: UpwardMessage): Promise<void> => {
  const { tenantId, sessionId } = message;
  if (sessionId === null)
    throw new DomainError('SESSION_UNKNOWN', 'A message on this queue must name its session.');
  const verified = {
    ...parseSessionMessage(message),
    run: message.run,
    sequence: message.sequence,
    hash: messageHash(message),
  } as VerifiedMessage;
  const { head, events } = await onSession(
    services,
    tenantId,
    sessionId,
    metadataOf(message),
    (now, state) => {
      refuseForeignDevice(state, message.deviceId);
      return { type: 'ApplyMessage', message: verified, now };
    },
  );
  services.surroundings.passes('message-appended');
  if (events.length > 0 && head.state.status === 'ended') {
    await releaseSlot(services, tenantId, sessionId, head.state.end ?? 'Ended', metadataOf(message));
  }
};

const refuseForeignDevice = (state: SessionState, deviceId: string): void => {
  if (state.status === 'none' || state.deviceId !== deviceId) {
    throw new DomainError('DEVICE_FOREIGN', 'The device speaks about a session that is not its own.');
  }
};

const metadataOf = ({
  deviceId,
  messageId,
  kid,
  run,
  sequence,
  previousRun,
  previousLast,
  signature,
}: UpwardMessage): Omit<AppendMetadata, 'now'> => ({
  actor: { kind: 'device', id: deviceId, name: deviceId },
  correlationId: messageId,
  causationId: messageId,
  traceparent: null,
  device: { kid, run, sequence, previousRun, previousLast, signature },
});
