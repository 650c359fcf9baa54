import { readdir, readlink } from 'node:fs/promises';

/** Processes of this machine (Linux) that have the file open: what the system says, not what the agent says. */
export const holdersOf = async (path: string): Promise<readonly number[]> => {
  const holders: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      for (const descriptor of await readdir(`/proc/${entry}/fd`)) {
        const target = await readlink(`/proc/${entry}/fd/${descriptor}`).catch(() => '');
        if (target === path) {
          holders.push(Number(entry));
          break;
        }
      }
    } catch {
      // It ended in the meantime, or belongs to somebody else.
    }
  }
  return holders;
};
