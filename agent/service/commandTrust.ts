import { decodeProtectedHeader } from 'jose';
import type { DownwardPayload, KeySet } from '../../contracts/device.ts';
import { verifyPayload, walkKeySets } from '../../evidence/commandSignature.ts';
import { log, reasonOf } from '../log.ts';

/** A message may be good, and nobody can tell now: it is to come again. */
export class KeysUnavailable extends Error {}

/** Which keys may command this device. Trust only ever moves along the chain of signed key sets. */
export class CommandTrust {
  #trusted: KeySet;
  readonly #fetchKeySets: () => Promise<readonly KeySet[]>;
  readonly #save: (trusted: KeySet) => void;

  constructor(
    trusted: KeySet,
    fetchKeySets: () => Promise<readonly KeySet[]>,
    save: (trusted: KeySet) => void,
  ) {
    this.#trusted = trusted;
    this.#fetchKeySets = fetchKeySets;
    this.#save = save;
  }

  /** Takes over newer key sets that follow from the trusted one. A broken chain is noted and changes nothing. */
  async follow(offered: readonly KeySet[]): Promise<void> {
    try {
      const newest = await walkKeySets(this.#trusted, offered);
      if (newest.version === this.#trusted.version) return;
      // Trusted although it may not be kept: after a restart the way from the older set is walked again.
      this.#trusted = newest;
      this.#save(newest);
      log(`key set ${newest.version} is trusted now`);
    } catch (error) {
      log(`new command keys were refused: ${reasonOf(error)}`);
    }
  }

  /**
   * The payload of a signed message; throws when no trusted key signed it. An unknown key is asked for once; throws
   * {@link KeysUnavailable} when there is no answer.
   */
  async verify(jws: string): Promise<DownwardPayload> {
    const { kid } = decodeProtectedHeader(jws);
    if (!this.#trusted.keys.some((key) => key.kid === kid)) await this.follow(await this.#offered());
    return verifyPayload(jws, this.#trusted.keys);
  }

  async #offered(): Promise<readonly KeySet[]> {
    try {
      return await this.#fetchKeySets();
    } catch (error) {
      throw new KeysUnavailable(reasonOf(error));
    }
  }
}
