import { decodeJwt, importJWK, jwtVerify } from 'jose';
import { deviceTokenRequest, messagesQueue, presenceQueue, tokenAudience } from '../../contracts/device.ts';
import { DomainError } from '../../domain/domainError.ts';
import { isDeviceId } from '../../evidence/deviceSignature.ts';
import type { Services } from '../services.ts';
import { readDevice } from '../streams/streams.ts';
import { answering, bodyOf, json, type Route } from './route.ts';

const renewAfter = 30 * 60;
const longestAssertion = 600;

/** Answers a device's assertion with tokens for its own queue and for the upward queues. An assertion is good once. */
export const issueDeviceToken = (services: Services): Route => ({
  name: 'issueDeviceToken',
  method: 'POST',
  path: 'devices/{deviceId}/token',
  handle: answering(async (request) => {
    const { deviceId } = request.params;
    const { assertion } = await bodyOf(request, deviceTokenRequest);
    const device = await verifiedDevice(services, deviceId ?? '', assertion);
    const [access, { keySets }] = await Promise.all([
      services.devices.access(device.deviceId, device.bucket),
      services.keys(),
    ]);
    return json(200, {
      ...access,
      presenceQueue,
      messagesQueue,
      serverTime: services.surroundings.now(),
      heartbeatEvery: services.heartbeatEvery,
      renewAfter,
      keySets,
    });
  }),
});

/** One answer for every reason: an unknown device, a foreign key, a replay. */
const refused = (): DomainError =>
  new DomainError(
    'UNAUTHENTICATED',
    'This device is not enrolled here, or its assertion is not valid (any more).',
  );

const verifiedDevice = async (services: Services, deviceId: string, assertion: string) => {
  if (!isDeviceId(deviceId)) throw refused();
  let tenantId: unknown;
  try {
    tenantId = decodeJwt(assertion)['tid'];
  } catch {
    throw refused();
  }
  if (typeof tenantId !== 'string' || !services.tenants.includes(tenantId)) throw refused();
  const { state } = await readDevice(services, tenantId, deviceId);
  if (state.status !== 'enrolled') throw refused();
  const payload = await jwtVerify(assertion, await importJWK(state.publicKey, 'EdDSA'), {
    audience: tokenAudience,
    issuer: deviceId,
    subject: deviceId,
    algorithms: ['EdDSA'],
    // A device learns its clock's offset from the answer; until then its clock may be off by minutes.
    clockTolerance: 600,
    requiredClaims: ['exp', 'iat', 'jti'],
  }).then(
    ({ payload: verified }) => verified,
    () => undefined,
  );
  if (payload?.jti === undefined || payload.exp === undefined || payload.iat === undefined) throw refused();
  const validFor = payload.exp - payload.iat;
  if (validFor > longestAssertion || !/^[\w-]{8,100}$/.test(payload.jti)) throw refused();
  if (!(await services.presence.claimAssertion(tenantId, deviceId, payload.jti, validFor + 1200)))
    throw refused();
  return state;
};
