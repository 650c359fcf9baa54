import { DomainError } from '../../domain/domainError.ts';
import { isDeviceId } from '../../evidence/deviceSignature.ts';
import type { Services } from '../services.ts';
import { readDevice } from '../streams/streams.ts';
import { withLastSeen } from './listDevices.ts';
import { json, type Route, type Signed, signedIn } from './route.ts';

export const getDevice = (services: Services): Route => ({
  name: 'getDevice',
  method: 'GET',
  path: 'devices/{deviceId}',
  handle: signedIn(services.tokens, ['Devices.Read'], async (signed) => {
    const device = await findDevice(services, signed);
    const { deviceId, name, platform, kind, osVersion, agentVersion, status, enrolledAt, retiredAt } = device;
    return json(
      200,
      await withLastSeen(services, signed.caller.tenantId, {
        deviceId,
        name,
        platform,
        ...(kind === undefined ? {} : { kind }),
        osVersion,
        agentVersion,
        status,
        enrolledAt,
        retiredAt,
      }),
    );
  }),
});

/** The device named in the path; a foreign one is answered like an unknown one. */
export const findDevice = async (services: Services, { request, caller }: Signed) => {
  const { deviceId = '' } = request.params;
  if (!isDeviceId(deviceId)) throw unknownDevice();
  const { state } = await readDevice(services, caller.tenantId, deviceId);
  if (state.status === 'unknown') throw unknownDevice();
  return state;
};

const unknownDevice = (): DomainError =>
  new DomainError('DEVICE_UNKNOWN', 'There is no such device, or you may not see it.');
