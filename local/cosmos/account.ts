import { type Counters, createCounters } from './counters.ts';
import { createFaults, type Faults } from './faults.ts';
import { faultyKinds } from './http/operations.ts';
import { type Catalogue, openCatalogue } from './store/catalogue.ts';
import { type Database, openDatabase, type Synchronous } from './store/database.ts';
import { type Items, openItems } from './store/items.ts';
import { createWriteQueue, type WriteQueue } from './store/writeQueue.ts';

/** Everything an account consists of, opened. */
export interface Account {
  readonly database: Database;
  readonly queue: WriteQueue;
  readonly catalogue: Catalogue;
  readonly items: Items;
  readonly counters: Counters;
  readonly faults: Faults;
  /** Writes what is queued and lets go of the files. */
  close(): Promise<void>;
}

const expiryIntervalMs = 1000;

export function openAccount(dataDir: string, partitions: number, synchronous: Synchronous): Account {
  const database = openDatabase(dataDir, synchronous);
  const queue = createWriteQueue(database);
  const catalogue = openCatalogue(database, queue, partitions);
  const items = openItems(database);
  const timer = setInterval(() => {
    queue
      .run(() => {
        for (const container of catalogue.containers()) {
          items.removeExpired(container, () => queue.nextLsn(container));
        }
      })
      .catch((error: unknown) => {
        process.stderr.write(`cosmos: removing expired items failed: ${String(error)}\n`);
      });
  }, expiryIntervalMs);
  return {
    database,
    queue,
    catalogue,
    items,
    counters: createCounters(),
    faults: createFaults(faultyKinds),
    async close() {
      clearInterval(timer);
      await queue.idle();
      database.close();
    },
  };
}
