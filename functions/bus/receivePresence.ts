import type { InvocationContext } from '@azure/functions';
import { ZodError } from 'zod';
import { parsePresenceMessage } from '../../contracts/device.ts';
import type { Services } from '../services.ts';
import { checkMessage, type DeviceKeys, recordRefused } from './deviceMessage.ts';
import { retryingStorage } from './retryingStorage.ts';

/** Signs of life: hello, heartbeat, alive. They change no event; an old one that is heard again changes nothing at all. */
export const receivePresence =
  (services: Services, keys: DeviceKeys) =>
  async (body: unknown, context: InvocationContext): Promise<void> => {
    const messageId = String(context.triggerMetadata?.['messageId'] ?? context.invocationId);
    await retryingStorage(services, async () => {
      const checked = await checkMessage(body, keys, services.tenants);
      if (!checked.ok) return recordRefused(services, body, messageId, checked);
      const { message } = checked;
      try {
        const content = parsePresenceMessage(message);
        await services.presence.record(message.tenantId, message.deviceId, {
          sessionId: content.kind === 'session.alive' ? message.sessionId : null,
          sequence: message.sequence,
          heardAt: services.surroundings.now(),
          ...(content.kind === 'device.hello' ? { addresses: content.body.addresses } : {}),
        });
      } catch (error) {
        if (!(error instanceof ZodError)) throw error;
        await recordRefused(services, body, messageId, {
          code: 'MESSAGE_MALFORMED',
          reason: error.message.slice(0, 1000),
        });
      }
    });
  };
