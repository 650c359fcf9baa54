import { trustSignerRequest } from '../../contracts/http.ts';
import { DomainError } from '../../domain/domainError.ts';
import { signerKeyOf } from '../../evidence/scriptSignature.ts';
import type { Services } from '../services.ts';
import { onSettings } from '../streams/streams.ts';
import { bodyOf, json, type Route, signedIn } from './route.ts';

/** From now on signatures by this key let scripts run. */
export const trustSigner = (services: Services): Route => ({
  name: 'trustSigner',
  method: 'POST',
  path: 'settings/signers',
  handle: signedIn(services.tokens, ['Settings.Manage'], async ({ request, caller, metadata }) => {
    const { name, publicKey } = await bodyOf(request, trustSignerRequest);
    const key = signerKeyOf(publicKey);
    if (key === undefined) {
      throw new DomainError(
        'SIGNER_KEY_INVALID',
        'This is not the public key of a signer. Give an Ed25519 or ECDSA P-256 public key as PEM; never a private key.',
      );
    }
    const signer = { ...key, name };
    await onSettings(services, caller.tenantId, metadata(key.keyId), (now) => ({
      type: 'TrustSigner',
      ...signer,
      by: caller.actor.id,
      now,
    }));
    return json(201, signer);
  }),
});

/** Files that this key signed stay in the library; their scripts run no more, unless another signer signs them. */
export const distrustSigner = (services: Services): Route => ({
  name: 'distrustSigner',
  method: 'DELETE',
  path: 'settings/signers/{keyId}',
  handle: signedIn(services.tokens, ['Settings.Manage'], async ({ request, caller, metadata }) => {
    const { keyId = '' } = request.params;
    await onSettings(services, caller.tenantId, metadata(keyId), (now) => ({
      type: 'DistrustSigner',
      keyId,
      by: caller.actor.id,
      now,
    }));
    return json(200, { keyId, trusted: false });
  }),
});
