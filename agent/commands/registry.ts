import { requiredPath } from './command.ts';
import { listing } from './listing.ts';

/** Values and keys below one key, or one value. */
export const registry = listing('registry', {
  async *win32(context) {
    const { windowsRegistry } = await import('../platform/windows/registry.ts');
    yield* windowsRegistry(requiredPath(context));
  },
});
