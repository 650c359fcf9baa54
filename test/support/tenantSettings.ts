import type { Limits } from '../../domain/limits.ts';
import { responder } from './responders.ts';

/** Runs `work` under other limits of the tenant, and puts the old ones back whatever happens. */
export const underLimits = async <Value>(
  limits: Partial<Limits>,
  work: () => Promise<Value>,
): Promise<Value> => {
  const cleo = responder('cleo');
  const before = (await cleo.settings()).limits;
  const restored = Object.fromEntries(Object.keys(limits).map((name) => [name, before[name]]));
  await cleo.changeSettings({ limits });
  try {
    return await work();
  } finally {
    await cleo.changeSettings({ limits: restored });
  }
};
