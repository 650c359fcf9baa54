import { linuxStartupEntries } from '../platform/linux/startupEntries.ts';
import type { StartupEntry } from '../platform/listed.ts';
import { listing } from './listing.ts';

/** Lists what starts when somebody signs in. */
export const startupfolders = listing<StartupEntry>('startupfolders', { linux: () => linuxStartupEntries() });
