import { importJWK, jwtVerify } from 'jose';
import { type DevicePublicKey, enrolAudience, enrolRequest } from '../../contracts/device.ts';
import { DomainError } from '../../domain/domainError.ts';
import { sha256 } from '../../evidence/canonical.ts';
import { deviceIdOf, thumbprintOf } from '../../evidence/deviceSignature.ts';
import { bucketOf } from '../adapters/deviceChannel.ts';
import type { Services } from '../services.ts';
import { onDevice, onSettings } from '../streams/streams.ts';
import { answering, bodyOf, json, type Route } from './route.ts';

/**
 * Enrols a device that shows an enrolment token and proves that it holds its key. The device's id follows from the key, so a
 * device that never saw the answer and asks again is the same device.
 */
export const enrolDevice = (services: Services): Route => ({
  name: 'enrolDevice',
  method: 'POST',
  path: 'devices/enrol',
  handle: answering(async (request, _context, correlationId) => {
    const { token, publicKey, proof, name, platform, kind, osVersion, agentVersion } = await bodyOf(
      request,
      enrolRequest,
    );
    const tokenHash = sha256(token);
    const tenantId = /^lre_([0-9a-f-]{36})_/.exec(token)?.[1];
    if (tenantId === undefined || !services.tenants.includes(tenantId)) throw invalidToken();
    await refuseUnproven(proof, publicKey, tokenHash);
    const deviceId = deviceIdOf(tenantId, publicKey);
    const kid = thumbprintOf(publicKey);
    const metadata = {
      actor: { kind: 'device' as const, id: deviceId, name },
      correlationId,
      causationId: deviceId,
      traceparent: request.headers.get('traceparent'),
    };
    const { head } = await onSettings(services, tenantId, metadata, (now) => ({
      type: 'UseEnrolmentToken',
      tokenHash,
      deviceId,
      now,
    }));
    const used = Object.values(head.state.tokens).find((candidate) => candidate.tokenHash === tokenHash);
    if (used === undefined) throw invalidToken();
    const bucket = bucketOf(deviceId);
    const { events } = await onDevice(services, tenantId, deviceId, metadata, (now) => ({
      type: 'EnrolDevice',
      deviceId,
      name,
      platform,
      ...(kind === undefined ? {} : { kind }),
      osVersion,
      agentVersion,
      publicKey,
      kid,
      bucket,
      enrolmentTokenId: used.tokenId,
      now,
    }));
    await services.devices.createQueue(deviceId, bucket);
    const { keySets } = await services.keys();
    return json(events.length > 0 ? 201 : 200, { tenantId, deviceId, kid, keySets });
  }),
});

const invalidToken = (): DomainError =>
  new DomainError(
    'ENROLMENT_TOKEN_INVALID',
    'This enrolment token is unknown, expired or used up. Ask for a new one.',
  );

const refuseUnproven = async (
  proof: string,
  publicKey: DevicePublicKey,
  tokenHash: string,
): Promise<void> => {
  try {
    const { payload } = await jwtVerify(proof, await importJWK(publicKey, 'EdDSA'), {
      audience: enrolAudience,
      algorithms: ['EdDSA'],
      clockTolerance: 600,
      requiredClaims: ['exp', 'jti'],
    });
    if (payload['token_sha256'] !== tokenHash) throw new Error('about another token');
  } catch (error) {
    throw Object.assign(
      new DomainError(
        'PROOF_INVALID',
        'The proof was not signed by the key that is to be enrolled, or is about another token.',
      ),
      { cause: error },
    );
  }
};
