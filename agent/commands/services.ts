import { linuxServices } from '../platform/linux/services.ts';
import type { Service } from '../platform/listed.ts';
import { listing } from './listing.ts';

/** Lists services, and says so where the init system does not answer. */
export const services = listing<Service>('services', { linux: linuxServices });
