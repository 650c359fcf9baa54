import type { Services } from '../services.ts';
import { answering, json, type Route } from './route.ts';

/** The public keys that sign commands, and how each set follows the one before. Anyone may see them. */
export const getKeys = (services: Services): Route => ({
  name: 'getKeys',
  method: 'GET',
  path: 'keys',
  handle: answering(async () => json(200, { keySets: (await services.keys()).keySets })),
});
