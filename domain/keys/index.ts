import type { DomainEvent } from '../envelope.ts';
import type { StreamFold } from '../eventStore.ts';

/** A published set of keys that sign commands; contracts/device.ts gives its shape and how sets follow one another. */
export interface PublishedKeySet {
  readonly version: number;
  readonly keys: readonly {
    readonly kty: 'EC';
    readonly crv: 'P-256';
    readonly kid: string;
    readonly x: string;
    readonly y: string;
  }[];
  readonly previousHash: string | null;
  readonly signature: string;
}

/** Events of `keys-commands`, which belongs to the deployment, not to a tenant. Names and fields are stored data. */
export type KeysEvent = {
  readonly type: 'KeySetPublished';
  readonly data: { readonly keySet: PublishedKeySet; readonly at: string };
};

export interface KeysState {
  readonly keySets: readonly PublishedKeySet[];
}

export const keysFold: StreamFold<KeysState> = {
  foldVersion: 1,
  initialState: { keySets: [] },
  evolve: (state, event: DomainEvent) => ({ keySets: [...state.keySets, (event as KeysEvent).data.keySet] }),
};

export const deployment = 'deployment';
export const keysStream = 'keys-commands';
