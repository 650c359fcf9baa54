import type { KeySet } from '../../contracts/device.ts';
import type { EventStore } from '../../domain/eventStore.ts';
import { deployment, type KeysEvent, type KeysState, keysFold, keysStream } from '../../domain/keys/index.ts';
import { keySetHash, signKeySet } from '../../evidence/commandSignature.ts';
import type { CommandKey } from '../adapters/signingKeys.ts';
import { decideAndAppend, type Surroundings } from './decideAndAppend.ts';
import { bySystem } from './metadata.ts';

const asKeySet = (set: KeysState['keySets'][number]): KeySet => ({ ...set, keys: [...set.keys] });

/**
 * Publishes the current key unless the newest set holds it. The first set is signed by its own key; every later one by the
 * key before, which has to be given.
 */
export const publishKeySets = async (
  context: { readonly store: EventStore; readonly surroundings: Surroundings },
  current: CommandKey,
  previous: CommandKey | undefined,
): Promise<readonly KeySet[]> => {
  const { head } = await decideAndAppend(
    context,
    { tenantId: deployment, streamId: keysStream, fold: keysFold },
    bySystem('key-sets'),
    async ({ keySets }, now): Promise<readonly KeysEvent[]> => {
      const newest = keySets.at(-1);
      if (newest === undefined) {
        const first = { version: 1, keys: [current.publicKey], previousHash: null };
        return [{ type: 'KeySetPublished', data: { keySet: await signKeySet(first, current), at: now } }];
      }
      if (newest.keys.some(({ kid }) => kid === current.kid)) return [];
      if (previous === undefined || !newest.keys.some(({ kid }) => kid === previous.kid)) {
        throw new Error(
          'COMMAND_KEY is new, and COMMAND_KEY_PREVIOUS is not the key that devices trust. Set it to sign the new key set.',
        );
      }
      const next = {
        version: newest.version + 1,
        keys: [previous.publicKey, current.publicKey],
        previousHash: keySetHash(asKeySet(newest)),
      };
      return [{ type: 'KeySetPublished', data: { keySet: await signKeySet(next, previous), at: now } }];
    },
  );
  return head.state.keySets.map(asKeySet);
};
