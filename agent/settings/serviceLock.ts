import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface ServiceLock {
  release(): void;
}

/** Held locks: a database that nothing refers to is closed by the garbage collector, and its lock with it. */
const held = new Set<DatabaseSync>();

/**
 * Lets one service at a time use a state directory. The lock is an operating-system lock on a file (taken through SQLite), so it
 * is gone with its process however that ends. Undefined when another process holds it.
 */
export const lockService = (stateDirectory: string): ServiceLock | undefined => {
  const path = join(stateDirectory, 'service.lock');
  const database = new DatabaseSync(path);
  chmodSync(path, 0o600);
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE;');
    held.add(database);
    return {
      release: () => {
        held.delete(database);
        database.close();
      },
    };
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked|busy/i.test(error.message)) return undefined;
    throw error;
  }
};
