import type { ProcessTable } from './seenProcess.ts';
import { onThisSystem } from './onThisSystem.ts';

/** Only the one of this system is loaded: executors must start fast. */
export const processTable: ProcessTable = await onThisSystem<() => Promise<ProcessTable>>({
  linux: async () => (await import('./linux/processTable.ts')).linuxProcessTable,
  darwin: async () => (await import('./macos/processTable.ts')).macosProcessTable,
  win32: async () => (await import('./windows/processTable.ts')).windowsProcessTable,
})();
