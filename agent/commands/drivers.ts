import type { Driver } from '../platform/listed.ts';
import { loadedWhenAsked } from '../platform/onThisSystem.ts';
import { listing } from './listing.ts';

export const drivers = listing<Driver>('drivers', {
  darwin: loadedWhenAsked(async () => (await import('../platform/macos/drivers.ts')).macosDrivers),
  win32: loadedWhenAsked(async () => (await import('../platform/windows/services.ts')).windowsDrivers),
});
