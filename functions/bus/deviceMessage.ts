import { type DevicePublicKey, parseUpward, type UpwardMessage } from '../../contracts/device.ts';
import { isSignedBy, messageHash } from '../../evidence/deviceSignature.ts';
import type { Services } from '../services.ts';
import { readDevice } from '../streams/streams.ts';

export type Checked =
  | { readonly ok: true; readonly message: UpwardMessage }
  | { readonly ok: false; readonly code: string; readonly reason: string };

const keyLifetimeMs = 30_000;
const rememberedKeys = 5_000;

/** Who may speak for a device. Keys are remembered for half a minute: a retired device is also cut off by its queue. */
export class DeviceKeys {
  readonly #services: Pick<Services, 'store' | 'surroundings'>;
  readonly #known = new Map<
    string,
    { readonly key: DevicePublicKey | null; readonly kid: string; readonly until: number }
  >();

  constructor(services: Pick<Services, 'store' | 'surroundings'>) {
    this.#services = services;
  }

  async of(
    tenantId: string,
    deviceId: string,
  ): Promise<{ readonly key: DevicePublicKey; readonly kid: string } | undefined> {
    const name = `${tenantId}|${deviceId}`;
    let known = this.#known.get(name);
    if (known === undefined || known.until < this.#services.surroundings.elapsed()) {
      const { state } = await readDevice(this.#services, tenantId, deviceId);
      const enrolled = state.status === 'enrolled' ? state : undefined;
      known = {
        key: enrolled?.publicKey ?? null,
        kid: enrolled?.kid ?? '',
        until: this.#services.surroundings.elapsed() + keyLifetimeMs,
      };
      if (this.#known.size >= rememberedKeys) this.#known.clear();
      this.#known.set(name, known);
    }
    return known.key === null ? undefined : { key: known.key, kid: known.kid };
  }
}

/** Shape, tenant, key and signature of what came up a queue. Nothing in it is believed before this. */
export const checkMessage = async (
  body: unknown,
  keys: DeviceKeys,
  tenants: readonly string[],
): Promise<Checked> => {
  let message: UpwardMessage;
  try {
    message = parseUpward(body);
  } catch (error) {
    return {
      ok: false,
      code: 'MESSAGE_MALFORMED',
      reason: error instanceof Error ? error.message.slice(0, 1000) : 'not a message',
    };
  }
  if (!tenants.includes(message.tenantId))
    return { ok: false, code: 'TENANT_UNKNOWN', reason: 'No such tenant is served here.' };
  const signer = await keys.of(message.tenantId, message.deviceId);
  if (signer === undefined)
    return { ok: false, code: 'DEVICE_UNKNOWN', reason: 'The device is not enrolled.' };
  if (signer.kid !== message.kid || !isSignedBy(message, signer.key)) {
    return {
      ok: false,
      code: 'SIGNATURE_INVALID',
      reason: 'The device named in the message did not sign it.',
    };
  }
  return { ok: true, message };
};

/** Records what was refused, under an id that follows from its content, so that a repeat adds nothing. */
export const recordRefused = async (
  services: Pick<Services, 'deadLetters' | 'surroundings'>,
  body: unknown,
  messageId: string,
  refusal: { readonly code: string; readonly reason: string },
): Promise<void> => {
  const tenantId =
    typeof body === 'object' && body !== null && 'tenantId' in body && typeof body.tenantId === 'string'
      ? body.tenantId
      : null;
  await services.deadLetters.record(`message-${idOf(body, messageId)}`, {
    kind: 'device-message',
    code: refusal.code,
    message: refusal.reason,
    tenantId,
    content: body,
    at: services.surroundings.now(),
  });
};

const idOf = (body: unknown, messageId: string): string => {
  try {
    return messageHash(body as UpwardMessage);
  } catch {
    return messageId.replace(/[^\w.-]/g, '_').slice(0, 200);
  }
};
