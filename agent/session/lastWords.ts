import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

const patienceMs = 1_000;

/** Resolves when everything that an ended child process said was heard: its last messages may arrive after the news of its end. */
export const lastWords = async (child: ChildProcess): Promise<void> => {
  if (!child.connected) return;
  await once(child, 'disconnect', { signal: AbortSignal.timeout(patienceMs) }).catch(() => undefined);
};
