import type { Container } from '@azure/cosmos';
import { partitionOf } from '../../domain/envelope.ts';

const oneDay = 86_400;

interface HeardItem {
  readonly id: string;
  readonly pk: string;
  readonly ttl: number;
  /** UTC ISO 8601, by the server's clock. */
  readonly heardAt: string;
  /** Per device, so that an old message heard again changes nothing. */
  readonly sequence: number;
  readonly addresses?: readonly string[];
}

/** When devices were heard of: not derivable from events and too frequent to be one. */
export class Presence {
  readonly #container: Container;

  constructor(container: Container) {
    this.#container = container;
  }

  /** When the device was last heard of for this session; null when never. */
  async heardAt(tenantId: string, deviceId: string, sessionId: string): Promise<string | null> {
    const { resource } = await this.#container
      .item(`session-${sessionId}`, partitionOf(tenantId, deviceId))
      .read<HeardItem>();
    return resource?.heardAt ?? null;
  }

  async lastSeen(tenantId: string, deviceId: string): Promise<string | null> {
    const { resource } = await this.#container
      .item('device', partitionOf(tenantId, deviceId))
      .read<HeardItem>();
    return resource?.heardAt ?? null;
  }

  /** False when a newer message was heard before. */
  async record(
    tenantId: string,
    deviceId: string,
    about: {
      readonly sessionId: string | null;
      readonly sequence: number;
      readonly heardAt: string;
      readonly addresses?: readonly string[];
    },
  ): Promise<boolean> {
    const pk = partitionOf(tenantId, deviceId);
    const known = await this.#container.item('device', pk).read<HeardItem>();
    if (known.resource !== undefined && known.resource.sequence >= about.sequence) return false;
    const addresses = about.addresses ?? known.resource?.addresses;
    const device: HeardItem = {
      id: 'device',
      pk,
      ttl: -1,
      heardAt: about.heardAt,
      sequence: about.sequence,
      ...(addresses === undefined ? {} : { addresses }),
    };
    // Two messages may cross here. The later one wins or the earlier one is a second old: nobody can tell.
    await this.#container.items.upsert(device);
    if (about.sessionId !== null) {
      const session: HeardItem = {
        id: `session-${about.sessionId}`,
        pk,
        ttl: oneDay,
        heardAt: about.heardAt,
        sequence: about.sequence,
      };
      await this.#container.items.upsert(session);
    }
    return true;
  }

  /** True the first time an assertion id is shown; false for a replay. Remembered until it could no longer be valid. */
  async claimAssertion(
    tenantId: string,
    deviceId: string,
    jti: string,
    secondsValid: number,
  ): Promise<boolean> {
    try {
      await this.#container.items.create({
        id: `jti-${jti}`,
        pk: partitionOf(tenantId, deviceId),
        ttl: Math.ceil(secondsValid) + 120,
      });
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 409) return false;
      throw error;
    }
  }

  async check(): Promise<void> {
    await this.#container.item('ready', 'ready').read();
  }
}
