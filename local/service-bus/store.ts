import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

/**
 * Group commit: every change of one event-loop turn goes into one transaction, and what was asked to run afterwards
 * runs only once COMMIT has returned. An error in between is thrown out of the event loop and so ends the process:
 * nothing may be acknowledged that is not on disk.
 */
export class Store {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #changes: { sql: string; values: SQLInputValue[] }[] = [];
  #callbacks: (() => void)[] = [];
  #armed = false;
  #broken = false;
  #closed = false;

  constructor(file: string, synchronous: 'FULL' | 'NORMAL') {
    this.#database = new DatabaseSync(file);
    // The lock keeps a second broker off the same data, and spares SQLite its shared-memory file.
    this.#database.exec(
      `PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=${synchronous};
       PRAGMA wal_autocheckpoint=4000;`,
    );
    this.#upgrade();
  }

  /** Queues a change for this turn's transaction. */
  change(sql: string, ...values: SQLInputValue[]): void {
    // Sockets may report their end after the broker has stopped; nobody can be told about such a change any more.
    if (this.#closed) return;
    this.#changes.push({ sql, values });
    this.#arm();
  }

  /** Runs `callback` after all changes queued so far are on disk; callbacks keep their order. */
  afterCommit(callback: () => void): void {
    if (this.#closed) return;
    this.#callbacks.push(callback);
    this.#arm();
  }

  rows(sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    return this.#database.prepare(sql).all(...values);
  }

  /** Commits what is queued and closes the file. */
  close(): void {
    if (this.#closed) return;
    if (!this.#broken) this.#flush();
    this.#closed = true;
    this.#database.close();
  }

  /** Brings the tables of an earlier version up to date. */
  #upgrade(): void {
    const [row] = this.rows('PRAGMA user_version');
    for (let version = Number(row?.user_version ?? 0); version < schema.length; version += 1) {
      this.#database.exec(`BEGIN; ${schema[version]} PRAGMA user_version=${version + 1}; COMMIT;`);
    }
  }

  #arm(): void {
    if (this.#broken) throw new Error('The store has failed. Restart the broker.');
    if (this.#armed) return;
    this.#armed = true;
    setImmediate(() => {
      if (this.#armed) this.#flush();
    });
  }

  #flush(): void {
    const changes = this.#changes;
    const callbacks = this.#callbacks;
    this.#changes = [];
    this.#callbacks = [];
    this.#armed = false;
    if (changes.length > 0) this.#commit(changes);
    for (const callback of callbacks) callback();
  }

  #commit(changes: readonly { sql: string; values: SQLInputValue[] }[]): void {
    try {
      this.#database.exec('BEGIN');
      for (const { sql, values } of changes) this.#statement(sql).run(...values);
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#broken = true;
      throw new Error(
        `The broker cannot write its data (${(error as Error).message}) and stops, because it may acknowledge ` +
          'nothing now. Check disk space and permissions of the data folder, then start it again.',
        { cause: error },
      );
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/**
 * Each step leads from one version of the tables to the next. Moments in ms since 1970; `expires_at` null means never;
 * `dead` 1 marks rows of the dead-letter queue; `state` as in `x-opt-message-state`.
 */
const schema = [
  `
  CREATE TABLE IF NOT EXISTS queue(
    id INTEGER PRIMARY KEY AUTOINCREMENT, namespace TEXT NOT NULL, key TEXT NOT NULL, path TEXT NOT NULL,
    next_sequence INTEGER NOT NULL, settings TEXT NOT NULL, created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL, UNIQUE(namespace, key));
  CREATE TABLE IF NOT EXISTS message(
    queue INTEGER NOT NULL, dead INTEGER NOT NULL, sequence INTEGER NOT NULL, enqueued_at INTEGER NOT NULL,
    expires_at INTEGER, delivery_count INTEGER NOT NULL, encoded BLOB NOT NULL,
    PRIMARY KEY(queue, dead, sequence)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS seen(
    queue INTEGER NOT NULL, message_id TEXT NOT NULL, expires_at INTEGER NOT NULL,
    PRIMARY KEY(queue, message_id)) WITHOUT ROWID;`,
  `
  ALTER TABLE message ADD COLUMN state INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE message ADD COLUMN first_sequence INTEGER;
  CREATE TABLE session(
    queue INTEGER NOT NULL, id TEXT NOT NULL, state BLOB NOT NULL, updated_at INTEGER NOT NULL,
    PRIMARY KEY(queue, id)) WITHOUT ROWID;`,
  `
  ALTER TABLE queue ADD COLUMN kind TEXT NOT NULL DEFAULT 'queue';
  CREATE TABLE rule(
    queue INTEGER NOT NULL, name TEXT NOT NULL, created_at INTEGER NOT NULL, description BLOB NOT NULL,
    PRIMARY KEY(queue, name)) WITHOUT ROWID;`,
];
