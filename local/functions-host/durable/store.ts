import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import type { EventBody, HistoryEvent, RuntimeStatus } from './history.ts';
import { EventType } from './history.ts';

/** Who waits for the end of a sub-orchestration. */
export interface ParentTask {
  name: string;
  version: string;
  instanceId: string;
  executionId: string;
  taskId: number;
}

export interface Instance {
  id: string;
  executionId: string;
  name: string;
  status: RuntimeStatus;
  input: string | null;
  output: string | null;
  customStatus: string | null;
  /** ISO 8601 UTC. */
  createdAt: string;
  updatedAt: string;
  version: string;
  parent: ParentTask | null;
}

/** What an instance is made of when it begins. */
export interface NewInstance {
  id: string;
  name: string;
  input: string | null;
  version: string;
  parent: ParentTask | null;
}

export interface Entity {
  id: string;
  /** JSON text; null when the entity does not exist. */
  state: string | null;
  exists: boolean;
  /** Instance id of the orchestration whose critical section it is in. */
  lockedBy: string | null;
  /** ISO 8601 UTC. */
  lastOperation: string;
}

export interface OutgoingMessage {
  /** Instance or entity it goes to. */
  to: string;
  /** Only for this generation of the instance; null for any. */
  executionId: string | null;
  dueMs: number;
  event: EventBody;
}

export interface InboxMessage {
  n: number;
  executionId: string | null;
  event: EventBody;
}

export interface ActivityTask {
  n: number;
  instanceId: string;
  executionId: string;
  taskId: number;
  name: string;
  /** JSON text of `[value]`. */
  input: string;
}

/** What one step writes, all of it or nothing. */
export interface StepResult {
  instance: Instance;
  consumed: readonly number[];
  /** True after continueAsNew: the old history goes first. */
  replacesHistory: boolean;
  appended: readonly HistoryEvent[];
  firstSequence: number;
  activities: readonly { executionId: string; taskId: number; name: string; input: string }[];
  messages: readonly OutgoingMessage[];
  /** Sub-orchestrations to begin; their ids are free or of ended instances. */
  children: readonly NewInstance[];
}

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA busy_timeout = 5000;
  CREATE TABLE IF NOT EXISTS instances (
    id TEXT PRIMARY KEY, executionId TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, input TEXT, output TEXT,
    customStatus TEXT, createdAt TEXT NOT NULL, updatedAt TEXT NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS instances_created ON instances (createdAt, id);
  CREATE TABLE IF NOT EXISTS history (
    id TEXT NOT NULL, sequence INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (id, sequence)) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS inbox (
    n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, executionId TEXT, dueMs INTEGER NOT NULL, event TEXT NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS inbox_id ON inbox (id, dueMs, n);
  CREATE INDEX IF NOT EXISTS inbox_due ON inbox (dueMs);
  CREATE TABLE IF NOT EXISTS tasks (
    n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, executionId TEXT NOT NULL, taskId INTEGER NOT NULL,
    name TEXT NOT NULL, input TEXT NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS tasks_id ON tasks (id);
  CREATE TABLE IF NOT EXISTS entities (
    id TEXT PRIMARY KEY, state TEXT, present INTEGER NOT NULL, lockedBy TEXT, lastOperation TEXT NOT NULL) STRICT;
`;

/** Durable state on SQLite. Every method that writes is one transaction, so a kill at any instant leaves it whole. */
export class DurableStore {
  readonly #database: DatabaseSync;
  readonly #statements;

  constructor(file: string) {
    this.#database = new DatabaseSync(file);
    this.#database.exec(schema);
    this.#addMissingColumns();
    const prepare = (sql: string) => this.#database.prepare(sql);
    this.#statements = {
      instance: prepare('SELECT * FROM instances WHERE id = ?'),
      putInstance: prepare(
        `INSERT OR REPLACE INTO instances
         (id, executionId, name, status, input, output, customStatus, createdAt, updatedAt, version, parent)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ),
      dropInstance: prepare('DELETE FROM instances WHERE id = ?'),
      history: prepare('SELECT event FROM history WHERE id = ? ORDER BY sequence'),
      addHistory: prepare('INSERT INTO history VALUES (?, ?, ?)'),
      dropHistory: prepare('DELETE FROM history WHERE id = ?'),
      due: prepare('SELECT n, executionId, event FROM inbox WHERE id = ? AND dueMs <= ? ORDER BY dueMs, n'),
      addMessage: prepare('INSERT INTO inbox (id, executionId, dueMs, event) VALUES (?, ?, ?, ?)'),
      dropMessage: prepare('DELETE FROM inbox WHERE n = ?'),
      dropMessages: prepare('DELETE FROM inbox WHERE id = ?'),
      dueIds: prepare('SELECT DISTINCT id FROM inbox WHERE dueMs <= ?'),
      nextDue: prepare('SELECT MIN(dueMs) AS dueMs FROM inbox WHERE dueMs > ?'),
      tasks: prepare('SELECT * FROM tasks ORDER BY n'),
      addTask: prepare('INSERT INTO tasks (id, executionId, taskId, name, input) VALUES (?, ?, ?, ?, ?)'),
      dropTask: prepare('DELETE FROM tasks WHERE n = ?'),
      dropTasks: prepare('DELETE FROM tasks WHERE id = ?'),
      entity: prepare('SELECT * FROM entities WHERE id = ?'),
      releaseLocks: prepare('UPDATE entities SET lockedBy = NULL WHERE lockedBy = ? RETURNING id'),
      putEntity: prepare('INSERT OR REPLACE INTO entities VALUES (?, ?, ?, ?, ?)'),
    };
  }

  /** Stores written before sub-orchestrations and versions existed lack these. */
  #addMissingColumns(): void {
    const columns = this.#database.prepare('PRAGMA table_info(instances)').all();
    const missing = (column: string) => !columns.some(({ name }) => name === column);
    if (missing('version')) {
      this.#database.exec(`ALTER TABLE instances ADD COLUMN version TEXT NOT NULL DEFAULT ''`);
    }
    if (missing('parent')) this.#database.exec('ALTER TABLE instances ADD COLUMN parent TEXT');
  }

  close(): void {
    this.#database.close();
  }

  #transaction<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  instance(id: string): Instance | undefined {
    const row = this.#statements.instance.get(id);
    return row === undefined ? undefined : instanceOf(row);
  }

  instances(filter: {
    createdFrom?: string | undefined;
    createdTo?: string | undefined;
    statuses?: readonly string[];
    idPrefix?: string | undefined;
    limit?: number;
    offset?: number;
  }): Instance[] {
    const conditions: string[] = [];
    const values: (string | number)[] = [];
    const where = (condition: string, ...given: string[]) => {
      conditions.push(condition);
      values.push(...given);
    };
    if (filter.createdFrom !== undefined) where('createdAt >= ?', filter.createdFrom);
    if (filter.createdTo !== undefined) where('createdAt <= ?', filter.createdTo);
    if (filter.statuses !== undefined && filter.statuses.length > 0) {
      where(`status IN (${filter.statuses.map(() => '?').join(', ')})`, ...filter.statuses);
    }
    if (filter.idPrefix !== undefined)
      where('substr(id, 1, length(?)) = ?', filter.idPrefix, filter.idPrefix);
    const clause = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
    return this.#database
      .prepare(`SELECT * FROM instances ${clause} ORDER BY createdAt, id LIMIT ? OFFSET ?`)
      .all(...values, filter.limit ?? -1, filter.offset ?? 0)
      .map(instanceOf);
  }

  history(id: string): HistoryEvent[] {
    return this.#statements.history.all(id).map(({ event }) => JSON.parse(String(event)) as HistoryEvent);
  }

  /** Makes (or remakes, after an end) an instance and queues its start. */
  create(fresh: NewInstance): void {
    this.#transaction(() => this.#create(fresh));
  }

  #create(fresh: NewInstance): void {
    const now = new Date().toISOString();
    const instance: Instance = {
      ...fresh,
      executionId: randomUUID().replaceAll('-', ''),
      status: 'Pending',
      output: null,
      customStatus: null,
      createdAt: now,
      updatedAt: now,
    };
    this.#forget(fresh.id);
    this.#putInstance(instance);
    this.#addMessage(fresh.id, instance.executionId, Date.now(), startedEvent(instance));
  }

  addMessage(id: string, event: EventBody, executionId: string | null = null, dueMs = Date.now()): void {
    this.#addMessage(id, executionId, dueMs, event);
  }

  dueMessages(id: string, nowMs: number): InboxMessage[] {
    return this.#statements.due.all(id, nowMs).map((row) => ({
      n: Number(row.n),
      executionId: row.executionId === null ? null : String(row.executionId),
      event: JSON.parse(String(row.event)) as EventBody,
    }));
  }

  dropMessages(ns: readonly number[]): void {
    this.#transaction(() => {
      for (const n of ns) this.#statements.dropMessage.run(n);
    });
  }

  instanceIdsDue(nowMs: number): string[] {
    return this.#statements.dueIds.all(nowMs).map(({ id }) => String(id));
  }

  /** Milliseconds since the epoch of the earliest message that is not due yet. */
  nextDueMs(nowMs: number): number | undefined {
    const due = this.#statements.nextDue.get(nowMs)?.dueMs;
    return due === null || due === undefined ? undefined : Number(due);
  }

  /** Every activity not yet reported: what to run first after a start. */
  pendingTasks(): ActivityTask[] {
    return this.#statements.tasks.all().map((row) => ({
      n: Number(row.n),
      instanceId: String(row.id),
      executionId: String(row.executionId),
      taskId: Number(row.taskId),
      name: String(row.name),
      input: String(row.input),
    }));
  }

  /** Commits one orchestration step; returns the activities with the numbers they got. */
  commitStep(step: StepResult): ActivityTask[] {
    const { instance } = step;
    return this.#transaction(() => {
      for (const n of step.consumed) this.#statements.dropMessage.run(n);
      if (step.replacesHistory) this.#statements.dropHistory.run(instance.id);
      for (const [index, event] of step.appended.entries()) {
        this.#statements.addHistory.run(instance.id, step.firstSequence + index, JSON.stringify(event));
      }
      this.#send(step.messages);
      for (const child of step.children) this.#create(child);
      this.#putInstance(instance);
      return step.activities.map(({ executionId, taskId, name, input }) => {
        const { lastInsertRowid } = this.#statements.addTask.run(
          instance.id,
          executionId,
          taskId,
          name,
          input,
        );
        return { n: Number(lastInsertRowid), instanceId: instance.id, executionId, taskId, name, input };
      });
    });
  }

  /** Replaces an activity by its result in one transaction; this is what makes a result count once. */
  finishTask(task: ActivityTask, event: EventBody): void {
    this.#transaction(() => {
      const { changes } = this.#statements.dropTask.run(task.n);
      if (changes > 0) this.#addMessage(task.instanceId, task.executionId, Date.now(), event);
    });
  }

  entity(id: string): Entity | undefined {
    const row = this.#statements.entity.get(id);
    return row === undefined ? undefined : entityOf(row);
  }

  entities(filter: {
    idPrefix: string;
    lastOperationFrom?: string | undefined;
    lastOperationTo?: string | undefined;
    limit: number;
    offset: number;
  }): Entity[] {
    return this.#database
      .prepare(
        `SELECT * FROM entities WHERE present = 1 AND substr(id, 1, length(?1)) = ?1
         AND lastOperation >= ?2 AND lastOperation <= ?3 ORDER BY id LIMIT ?4 OFFSET ?5`,
      )
      .all(
        filter.idPrefix,
        filter.lastOperationFrom ?? '',
        filter.lastOperationTo ?? '9999',
        filter.limit,
        filter.offset,
      )
      .map(entityOf);
  }

  /** Commits what an entity did with the messages it took. */
  commitEntity(entity: Entity, consumed: readonly number[], messages: readonly OutgoingMessage[]): void {
    this.#transaction(() => {
      for (const n of consumed) this.#statements.dropMessage.run(n);
      this.#send(messages);
      this.#statements.putEntity.run(
        entity.id,
        entity.state,
        entity.exists ? 1 : 0,
        entity.lockedBy,
        entity.lastOperation,
      );
    });
  }

  /** Removes instances; gives the ids of the entities whose locks they held and hold no longer. */
  purge(ids: readonly string[]): string[] {
    return this.#transaction(() =>
      ids.flatMap((id) => {
        this.#forget(id);
        this.#statements.dropInstance.run(id);
        return this.#statements.releaseLocks.all(id).map((row) => String(row.id));
      }),
    );
  }

  #forget(id: string): void {
    this.#statements.dropMessages.run(id);
    this.#statements.dropTasks.run(id);
    this.#statements.dropHistory.run(id);
  }

  #putInstance(i: Instance): void {
    this.#statements.putInstance.run(
      i.id,
      i.executionId,
      i.name,
      i.status,
      i.input,
      i.output,
      i.customStatus,
      i.createdAt,
      i.updatedAt,
      i.version,
      i.parent === null ? null : JSON.stringify(i.parent),
    );
  }

  #send(messages: readonly OutgoingMessage[]): void {
    for (const { to, executionId, dueMs, event } of messages) this.#addMessage(to, executionId, dueMs, event);
  }

  #addMessage(id: string, executionId: string | null, dueMs: number, event: EventBody): void {
    this.#statements.addMessage.run(id, executionId, Math.ceil(dueMs), JSON.stringify(event));
  }
}

type Row = Record<string, unknown>;

function instanceOf(row: Row): Instance {
  const parent = row.parent === null ? null : (JSON.parse(String(row.parent)) as ParentTask);
  return { ...(row as unknown as Instance), parent };
}

const entityOf = (row: Row): Entity => ({
  id: String(row.id),
  state: row.state === null ? null : String(row.state),
  exists: row.present === 1,
  lockedBy: row.lockedBy === null ? null : String(row.lockedBy),
  lastOperation: String(row.lastOperation),
});

export const startedEvent = ({ id, executionId, name, version, input, parent }: Instance): EventBody => ({
  EventType: EventType.ExecutionStarted,
  OrchestrationInstance: { InstanceId: id, ExecutionId: executionId },
  ParentInstance:
    parent === null
      ? null
      : {
          Name: parent.name,
          Version: parent.version,
          OrchestrationInstance: { InstanceId: parent.instanceId, ExecutionId: parent.executionId },
          TaskScheduleId: parent.taskId,
        },
  Name: name,
  Version: version,
  Input: input,
  Tags: null,
});
