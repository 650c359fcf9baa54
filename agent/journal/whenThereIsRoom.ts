import { setTimeout as pause } from 'node:timers/promises';
import { log } from '../log.ts';
import { type DiskReserve, isOutOfRoom } from './diskReserve.ts';

const retryMs = 2_000;

/**
 * Does what the agent cannot start without, as soon as the disk takes it. An agent that ended instead would only be started
 * again, and again, and whoever looks at a device that restarts for ever learns nothing.
 */
export const whenThereIsRoom = async <Result>(reserve: DiskReserve, act: () => Result): Promise<Result> => {
  for (let isSaid = false; ; isSaid = true) {
    try {
      return reserve.spend(act);
    } catch (error) {
      // SQLite calls a file that it cannot even make one that it cannot open.
      if (!isOutOfRoom(error) && reserve.hold()) throw error;
      if (!isSaid) log(`the disk is full: the agent waits until there is room in ${reserve.folder}`);
    }
    await pause(retryMs);
  }
};
