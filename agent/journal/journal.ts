import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { ExecuteBody, Tickets } from '../../contracts/device.ts';
import type { ProcessIdentity } from '../session/processTree.ts';
import type { DiskReserve } from './diskReserve.ts';
import { schema, schemaVersion } from './schema.ts';

export type CommandState = 'received' | 'cancelled-before' | 'spawned' | 'started' | 'ended';

/** What is needed to run a command that was accepted. Erased as soon as it was handed to an executor. */
export interface CommandRequest {
  readonly body: ExecuteBody;
  readonly tickets: Tickets;
}

export interface JournalledCommand {
  readonly commandId: string;
  readonly sessionId: string;
  readonly epoch: number;
  /** SHA-256, hex, of the signed command; empty for a cancel that came before its command. */
  readonly commandHash: string;
  readonly state: CommandState;
  readonly request: CommandRequest | null;
  readonly executor: ProcessIdentity | null;
  /** By this device's clock, like `receivedAt`: after this the command may not be started any more. */
  readonly startUntil: string;
  readonly receivedAt: string;
}

export interface JournalledSession {
  readonly sessionId: string;
  readonly epoch: number;
  readonly state: 'opening' | 'open' | 'closed';
  readonly directory: string;
  readonly worker: ProcessIdentity | null;
  /** When the backend last said something about it, by this device's clock. */
  readonly touchedAt: string;
}

export interface SequencePlace {
  readonly sequence: number;
  readonly previousRun: string | null;
  readonly previousLast: number;
}

export interface SpooledMessage {
  readonly position: number;
  readonly messageId: string;
  readonly message: string;
}

type Row = Record<string, unknown>;

/** For who only reads. */
const withoutReserve: Pick<DiskReserve, 'spend'> = { spend: (write) => write() };

/**
 * The device's memory. Every change is on disk (fsync) when the call returns. Calls inside {@link Journal.atomically} stand or
 * fall together, and are made once more when the disk was full and its reserve could be used.
 */
export class Journal {
  readonly #database: DatabaseSync;
  readonly #reserve: Pick<DiskReserve, 'spend'>;
  readonly #statements = new Map<string, StatementSync>();
  #depth = 0;
  #run = '';

  constructor(stateDirectory: string, reserve: Pick<DiskReserve, 'spend'> = withoutReserve) {
    this.#reserve = reserve;
    const path = join(stateDirectory, 'journal.db');
    this.#database = new DatabaseSync(path);
    try {
      chmodSync(path, 0o600);
      reserve.spend(() => {
        // The log stays smaller than the reserve: on a full disk it is used again from its start.
        this.#database.exec(
          'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA busy_timeout = 5000; PRAGMA wal_autocheckpoint = 200;',
        );
        this.#prepareSchema(path);
      });
      this.#run = String(this.#one('SELECT run FROM agent')?.['run']);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  #prepareSchema(path: string): void {
    const version = Number(this.#database.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version === schemaVersion) return;
    if (version !== 0) {
      throw new Error(
        `${path} was written by another version of the agent (format ${version}, this one knows ${schemaVersion}). Install the newer agent.`,
      );
    }
    this.#transact(() => this.#database.exec(`${schema} PRAGMA user_version = ${schemaVersion};`));
  }

  close(): void {
    this.#database.close();
  }

  atomically<Result>(change: () => Result): Result {
    return this.#depth > 0 ? change() : this.#reserve.spend(() => this.#transact(change));
  }

  #transact<Result>(change: () => Result): Result {
    this.#database.exec('BEGIN IMMEDIATE');
    this.#depth += 1;
    try {
      const result = change();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      // A full disk makes SQLite roll back by itself.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  // ---- run and sequence

  get run(): string {
    return this.#run;
  }

  beginRun(run: string, now: string): void {
    this.#change('UPDATE agent SET run = ?, startedAt = ?', run, now);
    this.#run = run;
  }

  get newestEpoch(): number {
    return Number(this.#one('SELECT newestEpoch FROM agent')?.['newestEpoch']);
  }

  /** Takes the next number of a scope: a session id, or '' for the presence queue. */
  nextSequence(scope: string): SequencePlace {
    return this.atomically(() => {
      const row = this.#one('SELECT * FROM scopes WHERE scope = ?', scope);
      const sequence = row === undefined ? 1 : Number(row['sequence']) + 1;
      const sameRun = row !== undefined && row['run'] === this.#run;
      const previousRun =
        row === undefined ? null : sameRun ? textOrNull(row['previousRun']) : String(row['run']);
      const previousLast = row === undefined ? 0 : Number(row[sameRun ? 'previousLast' : 'sequence']);
      this.#change(
        'INSERT OR REPLACE INTO scopes (scope, run, sequence, previousRun, previousLast) VALUES (?, ?, ?, ?, ?)',
        scope,
        this.#run,
        sequence,
        previousRun,
        previousLast,
      );
      return { sequence, previousRun, previousLast };
    });
  }

  // ---- sessions

  session(sessionId: string): JournalledSession | undefined {
    const row = this.#one('SELECT * FROM sessions WHERE sessionId = ?', sessionId);
    return row === undefined ? undefined : sessionOf(row);
  }

  /** Sessions that are not closed. */
  openSessions(): readonly JournalledSession[] {
    return this.#all("SELECT * FROM sessions WHERE state <> 'closed' ORDER BY epoch").map(sessionOf);
  }

  acceptSession(sessionId: string, epoch: number, directory: string, now: string): void {
    this.atomically(() => {
      this.#change('UPDATE agent SET newestEpoch = max(newestEpoch, ?)', epoch);
      this.#change(
        "INSERT INTO sessions (sessionId, epoch, state, directory, touchedAt) VALUES (?, ?, 'opening', ?, ?)",
        sessionId,
        epoch,
        directory,
        now,
      );
    });
  }

  setSessionState(sessionId: string, state: JournalledSession['state']): void {
    this.#change('UPDATE sessions SET state = ? WHERE sessionId = ?', state, sessionId);
  }

  setSessionWorker(sessionId: string, worker: ProcessIdentity): void {
    this.#change('UPDATE sessions SET worker = ? WHERE sessionId = ?', JSON.stringify(worker), sessionId);
  }

  setSessionDirectory(sessionId: string, directory: string): void {
    this.#change('UPDATE sessions SET directory = ? WHERE sessionId = ?', directory, sessionId);
  }

  touchSession(sessionId: string, now: string): void {
    this.#change('UPDATE sessions SET touchedAt = ? WHERE sessionId = ?', now, sessionId);
  }

  // ---- commands

  command(commandId: string): JournalledCommand | undefined {
    const row = this.#one('SELECT * FROM commands WHERE commandId = ?', commandId);
    return row === undefined ? undefined : commandOf(row);
  }

  /** Commands of a session, or of all, that have not ended and are more than a cancel. */
  openCommands(sessionId?: string): readonly JournalledCommand[] {
    return this.#all(
      "SELECT * FROM commands WHERE state IN ('received', 'spawned', 'started') AND (?1 IS NULL OR sessionId = ?1) ORDER BY rowid",
      sessionId ?? null,
    ).map(commandOf);
  }

  /** False when the id is known already: then nothing was changed. */
  receiveCommand(
    command: Pick<
      JournalledCommand,
      'commandId' | 'sessionId' | 'epoch' | 'commandHash' | 'receivedAt' | 'startUntil'
    >,
    state: 'received' | 'cancelled-before',
    request: CommandRequest | null,
  ): boolean {
    const { commandId, sessionId, epoch, commandHash, receivedAt, startUntil } = command;
    return (
      this.#change(
        'INSERT OR IGNORE INTO commands (commandId, sessionId, epoch, commandHash, state, request, receivedAt, startUntil) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        commandId,
        sessionId,
        epoch,
        commandHash,
        state,
        request === null ? null : JSON.stringify(request),
        receivedAt,
        startUntil,
      ) === 1
    );
  }

  /** From here on the command may be running: it is never run again. */
  markSpawned(commandId: string, executor: ProcessIdentity): void {
    this.#change(
      "UPDATE commands SET state = 'spawned', executor = ?, request = NULL WHERE commandId = ? AND state = 'received'",
      JSON.stringify(executor),
      commandId,
    );
  }

  markStarted(commandId: string): void {
    this.#change(
      "UPDATE commands SET state = 'started' WHERE commandId = ? AND state = 'spawned'",
      commandId,
    );
  }

  /** False when the end was recorded before: an end is said once. */
  markEnded(commandId: string, result: string): boolean {
    return (
      this.#change(
        "UPDATE commands SET state = 'ended', result = ?, request = NULL WHERE commandId = ? AND state <> 'ended'",
        result,
        commandId,
      ) === 1
    );
  }

  // ---- spool

  spool(scope: string, messageId: string, message: string): void {
    this.#change('INSERT INTO spool (scope, messageId, message) VALUES (?, ?, ?)', scope, messageId, message);
  }

  oldestSpooled(scope: string): SpooledMessage | undefined {
    const row = this.#one('SELECT * FROM spool WHERE scope = ? ORDER BY position LIMIT 1', scope);
    return row === undefined
      ? undefined
      : {
          position: Number(row['position']),
          messageId: String(row['messageId']),
          message: String(row['message']),
        };
  }

  removeSpooled(position: number): void {
    this.#change('DELETE FROM spool WHERE position = ?', position);
  }

  scopesWithSpool(): readonly string[] {
    return this.#all('SELECT DISTINCT scope FROM spool').map((row) => String(row['scope']));
  }

  spooledCount(): number {
    return Number(this.#one('SELECT count(*) AS n FROM spool')?.['n']);
  }

  /**
   * Forgets closed sessions that nobody has spoken of since `before`, with their commands. Ids may be forgotten then: a session
   * of an old epoch is never opened again.
   */
  forget(before: string): void {
    this.atomically(() => {
      const old =
        "SELECT sessionId FROM sessions WHERE state = 'closed' AND touchedAt < ?1 AND NOT EXISTS (SELECT 1 FROM spool WHERE scope = sessionId)";
      this.#change(`DELETE FROM commands WHERE sessionId IN (${old})`, before);
      this.#change(`DELETE FROM scopes WHERE scope IN (${old})`, before);
      this.#change(`DELETE FROM sessions WHERE sessionId IN (${old})`, before);
    });
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #change(sql: string, ...values: SQLInputValue[]): number {
    return this.atomically(() => Number(this.#prepared(sql).run(...values).changes));
  }

  #one(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepared(sql).get(...values);
  }

  #all(sql: string, ...values: SQLInputValue[]): readonly Row[] {
    return this.#prepared(sql).all(...values);
  }
}

const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const jsonOrNull = <Value>(value: unknown): Value | null =>
  typeof value === 'string' ? (JSON.parse(value) as Value) : null;

const sessionOf = (row: Row): JournalledSession => ({
  sessionId: String(row['sessionId']),
  epoch: Number(row['epoch']),
  state: row['state'] as JournalledSession['state'],
  directory: String(row['directory']),
  worker: jsonOrNull(row['worker']),
  touchedAt: String(row['touchedAt']),
});

const commandOf = (row: Row): JournalledCommand => ({
  commandId: String(row['commandId']),
  sessionId: String(row['sessionId']),
  epoch: Number(row['epoch']),
  commandHash: String(row['commandHash']),
  state: row['state'] as CommandState,
  request: jsonOrNull(row['request']),
  executor: jsonOrNull(row['executor']),
  startUntil: String(row['startUntil']),
  receivedAt: String(row['receivedAt']),
});
