import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * Holds a data folder for as long as this process lives, however it ends: two must not share one.
 * @throws {Error} with the text `whenHeld` when another process holds it.
 */
export const lockFolder = (folder: string, whenHeld: string): void => {
  const lock = new DatabaseSync(join(folder, 'lock.db'));
  try {
    lock.exec(
      'PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS held(pid INTEGER); COMMIT; BEGIN EXCLUSIVE',
    );
  } catch {
    throw new Error(whenHeld);
  }
  process.once('exit', () => lock.close());
};
