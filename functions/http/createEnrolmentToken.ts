import { randomBytes, randomUUID } from 'node:crypto';
import { createEnrolmentTokenRequest } from '../../contracts/http.ts';
import { sha256 } from '../../evidence/canonical.ts';
import type { Services } from '../services.ts';
import { onSettings } from '../streams/streams.ts';
import { bodyOf, json, type Route, signedIn } from './route.ts';

/** A token with which devices enrol: counted, expiring, shown once. */
export const createEnrolmentToken = (services: Services): Route => ({
  name: 'createEnrolmentToken',
  method: 'POST',
  path: 'enrolment-tokens',
  handle: signedIn(services.tokens, ['Devices.Manage'], async ({ request, caller, metadata }) => {
    const { tenantId, actor } = caller;
    // Not idempotent on purpose: a token is shown once, so a repeat makes another one.
    const tokenId = randomUUID();
    const { description, uses, validFor } = await bodyOf(request, createEnrolmentTokenRequest);
    const token = `lre_${tenantId}_${randomBytes(32).toString('base64url')}`;
    const expiresAt = new Date(Date.parse(services.surroundings.now()) + validFor * 1000).toISOString();
    await onSettings(services, tenantId, metadata(tokenId), (now) => ({
      type: 'CreateEnrolmentToken',
      tokenId,
      tokenHash: sha256(token),
      description,
      uses,
      expiresAt,
      by: actor.id,
      now,
    }));
    return json(201, { tokenId, token, uses, expiresAt });
  }),
});
