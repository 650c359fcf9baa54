import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

/** How hard a commit is pushed to disk: FULL survives power loss, NORMAL survives kill -9 but not power loss. */
export type Synchronous = 'FULL' | 'NORMAL';

export interface Database {
  /** Gives the statement for a text, compiled once. Only texts of the code may come here, never values. */
  prepare(sql: string): StatementSync;
  run(sql: string): void;
  close(): void;
}

/** What each version added. */
const schemas = [
  `
CREATE TABLE databases(
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, ts INTEGER NOT NULL, etag TEXT NOT NULL);
CREATE TABLE containers(
  n INTEGER PRIMARY KEY AUTOINCREMENT, database INTEGER NOT NULL, id TEXT NOT NULL, lsn INTEGER NOT NULL DEFAULT 0,
  ts INTEGER NOT NULL, etag TEXT NOT NULL, partitions TEXT NOT NULL, properties TEXT NOT NULL, UNIQUE(database, id));
CREATE TABLE items(
  row INTEGER PRIMARY KEY AUTOINCREMENT, container INTEGER NOT NULL, pk TEXT NOT NULL, id TEXT NOT NULL,
  lsn INTEGER NOT NULL, epk TEXT NOT NULL, ts INTEGER NOT NULL, ttl INTEGER, expires INTEGER, etag TEXT NOT NULL,
  body TEXT NOT NULL, UNIQUE(container, pk, id));
CREATE INDEX items_by_lsn ON items(container, lsn, epk);
CREATE INDEX items_by_key ON items(container, pk);
CREATE INDEX items_by_expiry ON items(expires) WHERE expires IS NOT NULL;`,
  `
CREATE TABLE unique_values(
  container INTEGER NOT NULL, pk TEXT NOT NULL, value TEXT NOT NULL, row INTEGER NOT NULL,
  PRIMARY KEY(container, pk, value)) WITHOUT ROWID;
CREATE INDEX unique_values_by_row ON unique_values(row);
CREATE TRIGGER items_free_values AFTER DELETE ON items BEGIN DELETE FROM unique_values WHERE row = old.row; END;
CREATE TABLE versions(
  n INTEGER PRIMARY KEY AUTOINCREMENT, container INTEGER NOT NULL, lsn INTEGER NOT NULL, epk TEXT NOT NULL,
  pk TEXT NOT NULL, ts INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX versions_by_lsn ON versions(container, lsn, epk);
CREATE INDEX versions_by_time ON versions(container, ts);`,
];

/** Opens, or makes, the database of a folder and keeps every other process out of it until closed. */
export function openDatabase(dataDir: string, synchronous: Synchronous): Database {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, 'cosmos.sqlite');
  const sqlite = new DatabaseSync(path, { timeout: 2000 });
  try {
    sqlite.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous};
      PRAGMA cache_size = -65536; BEGIN IMMEDIATE; COMMIT;`);
    const { user_version: version } = sqlite.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > schemas.length) {
      throw new Error(
        `It has version ${version}, this program reads up to ${schemas.length}. Delete it to start afresh.`,
      );
    }
    const missing = schemas.slice(version).join('\n');
    sqlite.exec(`BEGIN IMMEDIATE; ${missing} PRAGMA user_version = ${schemas.length}; COMMIT;`);
  } catch (error) {
    sqlite.close();
    const reason = (error as Error).message;
    const hint = reason.includes('locked') ? 'Another process has it open; end that one first.' : reason;
    throw new Error(`${path} cannot be used. ${hint}`);
  }
  const statements = new Map<string, StatementSync>();
  return {
    prepare(sql) {
      let statement = statements.get(sql);
      if (statement === undefined) {
        statement = sqlite.prepare(sql);
        statements.set(sql, statement);
      }
      return statement;
    },
    run: (sql) => sqlite.exec(sql),
    close: () => sqlite.close(),
  };
}
