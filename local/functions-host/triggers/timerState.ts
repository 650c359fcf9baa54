import { DatabaseSync } from 'node:sqlite';

export interface TimerStatus {
  /** ISO 8601 UTC. */
  last: string;
  next: string;
  lastUpdated: string;
}

/** The schedule monitor's memory: when each timer ran and when it should run next. */
export class TimerState {
  readonly #database: DatabaseSync;

  constructor(file: string) {
    this.#database = new DatabaseSync(file);
    this.#database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      CREATE TABLE IF NOT EXISTS timers (
        name TEXT PRIMARY KEY, last TEXT NOT NULL, next TEXT NOT NULL, lastUpdated TEXT NOT NULL) STRICT;
    `);
  }

  read(name: string): TimerStatus | undefined {
    return this.#database.prepare('SELECT last, next, lastUpdated FROM timers WHERE name = ?').get(name) as
      TimerStatus | undefined;
  }

  write(name: string, { last, next, lastUpdated }: TimerStatus): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO timers VALUES (?, ?, ?, ?)')
      .run(name, last, next, lastUpdated);
  }

  close(): void {
    this.#database.close();
  }
}
