import type { Services } from '../services.ts';
import { answering, json, type Route } from './route.ts';

/** Whether everything that a command needs answers. Says which part does not, and nothing else about it. */
export const getReadiness = (services: Services): Route => ({
  name: 'getReadiness',
  method: 'GET',
  path: 'ready',
  handle: answering(async (_request, context) => {
    const parts: Readonly<Record<string, () => Promise<unknown>>> = {
      events: () => services.presence.check(),
      devices: () => services.devices.check(),
      files: () => services.blobs.check(),
      keys: () => services.keys(),
    };
    const checks = Object.fromEntries(
      await Promise.all(
        Object.entries(parts).map(async ([name, check]) => {
          try {
            await check();
            return [name, 'ok'] as const;
          } catch (error) {
            context.warn(`not ready: ${name}: ${error instanceof Error ? error.message : String(error)}`);
            return [name, 'failed'] as const;
          }
        }),
      ),
    );
    const ready = Object.values(checks).every((check) => check === 'ok');
    return json(ready ? 200 : 503, { ready, checks });
  }),
});
