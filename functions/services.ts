import type { KeySet } from '../contracts/device.ts';
import type { EventStore } from '../domain/eventStore.ts';
import type { Blobs } from './adapters/blobs.ts';
import type { DeadLetters } from './adapters/deadLetters.ts';
import type { DeviceChannel } from './adapters/deviceChannel.ts';
import type { EntraTokens } from './adapters/entraTokens.ts';
import type { LibraryBlobs } from './adapters/libraryBlobs.ts';
import type { Presence } from './adapters/presence.ts';
import type { CommandKey } from './adapters/signingKeys.ts';
import type { ViewRows } from './adapters/viewRows.ts';
import type { Surroundings } from './streams/decideAndAppend.ts';

/** What the functions work with; app.ts builds it once. */
export interface Services {
  readonly store: EventStore;
  readonly surroundings: Surroundings;
  readonly views: ViewRows;
  readonly presence: Presence;
  readonly deadLetters: DeadLetters;
  readonly devices: DeviceChannel;
  readonly blobs: Blobs;
  readonly libraryBlobs: LibraryBlobs;
  readonly tokens: EntraTokens;
  /** Opened on first use: a key that does not answer must not keep the app from starting. */
  readonly keys: () => Promise<{ readonly current: CommandKey; readonly keySets: readonly KeySet[] }>;
  readonly tenants: readonly string[];
  /** Seconds. */
  readonly heartbeatEvery: number;
}
