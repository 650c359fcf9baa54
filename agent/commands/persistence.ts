import type { PersistenceEntry } from '../platform/listed.ts';
import { loadedWhenAsked } from '../platform/onThisSystem.ts';
import { listing } from './listing.ts';

export const persistence = listing<PersistenceEntry>('persistence', {
  darwin: loadedWhenAsked(async () => (await import('../platform/macos/jobs.ts')).macosPersistence),
  win32: loadedWhenAsked(async () => (await import('../platform/windows/persistence.ts')).windowsPersistence),
});
