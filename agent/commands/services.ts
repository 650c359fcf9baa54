import { linuxServices } from '../platform/linux/services.ts';
import type { Service } from '../platform/listed.ts';
import { loadedWhenAsked } from '../platform/onThisSystem.ts';
import { listing } from './listing.ts';

/** Lists services, and says so where the init system does not answer. */
export const services = listing<Service>('services', {
  linux: linuxServices,
  darwin: loadedWhenAsked(async () => (await import('../platform/macos/jobs.ts')).macosServices),
  win32: loadedWhenAsked(async () => (await import('../platform/windows/services.ts')).windowsServices),
});
