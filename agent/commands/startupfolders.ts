import { linuxStartupEntries } from '../platform/linux/startupEntries.ts';
import type { StartupEntry } from '../platform/listed.ts';
import { loadedWhenAsked } from '../platform/onThisSystem.ts';
import { listing } from './listing.ts';

/** Lists what starts when somebody signs in. */
export const startupfolders = listing<StartupEntry>('startupfolders', {
  linux: () => linuxStartupEntries(),
  darwin: loadedWhenAsked(async () => (await import('../platform/macos/jobs.ts')).macosStartup),
  win32: loadedWhenAsked(async () => (await import('../platform/windows/startup.ts')).windowsStartup),
});
