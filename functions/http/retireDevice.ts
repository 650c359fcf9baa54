import type { Services } from '../services.ts';
import { onDevice } from '../streams/streams.ts';
import { findDevice } from './getDevice.ts';
import { json, type Route, signedIn } from './route.ts';

/** Retires a device: its key is refused from now on and its queue is gone. */
export const retireDevice = (services: Services): Route => ({
  name: 'retireDevice',
  method: 'DELETE',
  path: 'devices/{deviceId}',
  handle: signedIn(services.tokens, ['Devices.Manage'], async (signed) => {
    const { deviceId, bucket } = await findDevice(services, signed);
    const { tenantId, actor } = signed.caller;
    await onDevice(services, tenantId, deviceId, signed.metadata(deviceId), (now) => ({
      type: 'RetireDevice',
      by: actor.id,
      reason: 'retired by an administrator',
      now,
    }));
    await services.devices.deleteQueue(deviceId, bucket);
    return json(200, { deviceId, status: 'retired' });
  }),
});
