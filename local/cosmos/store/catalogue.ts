import { randomUUID } from 'node:crypto';
import { conflict, ownerNotFound } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { cutIntoPartitions, type PhysicalPartition } from '../physicalPartitions.ts';
import { checkProperties, checkReplacement, type ContainerRules, rulesOf } from './containerProperties.ts';
import type { Database } from './database.ts';
import { checkId, nowInSeconds } from './itemRules.ts';
import { containerRid, databaseRid } from './resourceIds.ts';
import type { Sequenced, WriteQueue } from './writeQueue.ts';

export interface Container extends Sequenced {
  readonly n: number;
  readonly databaseN: number;
  readonly id: string;
  /** `dbs/{database}/colls/{container}` */
  readonly path: string;
  readonly rid: string;
  readonly self: string;
  partitions: readonly PhysicalPartition[];
  rules: ContainerRules;
  /** What a read of the container answers. */
  body: JsonObject;
}

export interface DatabaseEntry {
  readonly n: number;
  readonly id: string;
  readonly body: JsonObject;
  readonly containers: Map<string, Container>;
}

/** The databases and containers. All of it is in memory; changes go through the write queue. */
export interface Catalogue {
  databases(): readonly DatabaseEntry[];
  database(id: string): DatabaseEntry;
  container(databaseId: string, id: string): Container;
  containers(): readonly Container[];
  createDatabase(body: JsonObject): Promise<DatabaseEntry>;
  deleteDatabase(id: string): Promise<void>;
  createContainer(databaseId: string, body: JsonObject): Promise<Container>;
  /** The partition key and the unique keys must be those that the container has. */
  replaceContainer(databaseId: string, id: string, body: JsonObject): Promise<Container>;
  deleteContainer(databaseId: string, id: string): Promise<void>;
  /** Cuts every physical partition in two; the old ranges are gone at once. */
  split(container: Container): Promise<void>;
}

interface DatabaseRow {
  n: number;
  id: string;
  ts: number;
  etag: string;
}

interface ContainerRow extends DatabaseRow {
  database: number;
  lsn: number;
  partitions: string;
  properties: string;
}

export function openCatalogue(database: Database, queue: WriteQueue, partitionCount: number): Catalogue {
  const entries = new Map<string, DatabaseEntry>();
  for (const row of database.prepare('SELECT * FROM databases').all() as unknown as DatabaseRow[]) {
    entries.set(row.id, toDatabase(row));
  }
  const byNumber = new Map([...entries.values()].map((entry) => [entry.n, entry]));
  for (const row of database.prepare('SELECT * FROM containers').all() as unknown as ContainerRow[]) {
    const owner = byNumber.get(row.database);
    owner?.containers.set(row.id, toContainer(owner, row));
  }

  const findDatabase = (id: string) => {
    const entry = entries.get(id);
    if (entry === undefined) throw ownerNotFound(`Database '${id}'`);
    return entry;
  };
  const findContainer = (databaseId: string, id: string) => {
    const container = findDatabase(databaseId).containers.get(id);
    if (container === undefined) throw ownerNotFound(`Container '${id}'`);
    return container;
  };
  const dropContainer = (container: Container) => {
    database.prepare('DELETE FROM items WHERE container = ?').run(container.n);
    database.prepare('DELETE FROM versions WHERE container = ?').run(container.n);
    database.prepare('DELETE FROM containers WHERE n = ?').run(container.n);
    container.isGone = true;
  };

  return {
    databases: () => [...entries.values()],
    database: findDatabase,
    container: findContainer,
    containers: () => [...entries.values()].flatMap((entry) => [...entry.containers.values()]),

    async createDatabase(body) {
      const id = checkId(body.id);
      const row = await queue
        .run(() => {
          if (entries.has(id)) throw conflict('Database');
          return database
            .prepare('INSERT INTO databases(id, ts, etag) VALUES(?, ?, ?) RETURNING *')
            .get(id, nowInSeconds(), newEtag()) as unknown as DatabaseRow;
        })
        .catch(translateUnique('Database'));
      const entry = toDatabase(row);
      entries.set(id, entry);
      return entry;
    },

    async deleteDatabase(id) {
      const entry = findDatabase(id);
      await queue.run(() => {
        for (const container of entry.containers.values()) dropContainer(container);
        database.prepare('DELETE FROM databases WHERE n = ?').run(entry.n);
      });
      entries.delete(id);
    },

    async createContainer(databaseId, body) {
      const owner = findDatabase(databaseId);
      const properties = checkProperties(body);
      const id = checkId(body.id);
      const partitions = JSON.stringify(cutIntoPartitions(partitionCount));
      const row = await queue
        .run(() => {
          if (owner.containers.has(id)) throw conflict('Container');
          return database
            .prepare(
              'INSERT INTO containers(database, id, ts, etag, partitions, properties) VALUES(?, ?, ?, ?, ?, ?) RETURNING *',
            )
            .get(
              owner.n,
              id,
              nowInSeconds(),
              newEtag(),
              partitions,
              JSON.stringify(properties),
            ) as unknown as ContainerRow;
        })
        .catch(translateUnique('Container'));
      const container = toContainer(owner, row);
      owner.containers.set(id, container);
      return container;
    },

    async replaceContainer(databaseId, id, body) {
      const container = findContainer(databaseId, id);
      const wanted = checkProperties(body);
      checkReplacement(container.body, wanted);
      const row = await queue.run(() => {
        const ttl = wanted.defaultTtl ?? null;
        database
          .prepare(
            `UPDATE items SET expires = CASE WHEN ?1 IS NULL OR coalesce(ttl, ?1) = -1 THEN NULL
             ELSE ts + coalesce(ttl, ?1) END WHERE container = ?2`,
          )
          .run(ttl as number | null, container.n);
        return database
          .prepare('UPDATE containers SET properties = ?, etag = ?, ts = ? WHERE n = ? RETURNING *')
          .get(JSON.stringify(wanted), newEtag(), nowInSeconds(), container.n) as unknown as ContainerRow;
      });
      const changed = toContainer(findDatabase(databaseId), row);
      container.rules = changed.rules;
      container.body = changed.body;
      return container;
    },

    async deleteContainer(databaseId, id) {
      const container = findContainer(databaseId, id);
      await queue.run(() => dropContainer(container));
      findDatabase(databaseId).containers.delete(id);
    },

    async split(container) {
      const nextId = Math.max(...container.partitions.map((one) => Number(one.id))) + 1;
      const halves = cutIntoPartitions(container.partitions.length * 2, nextId).map((half, index) => ({
        ...half,
        parents: [container.partitions[Math.floor(index / 2)]?.id ?? ''],
      }));
      await queue.run(() =>
        database
          .prepare('UPDATE containers SET partitions = ? WHERE n = ?')
          .run(JSON.stringify(halves), container.n),
      );
      container.partitions = halves;
    },
  };
}

function toDatabase(row: DatabaseRow): DatabaseEntry {
  const rid = databaseRid(row.n);
  return {
    n: row.n,
    id: row.id,
    containers: new Map(),
    body: {
      id: row.id,
      _rid: rid,
      _self: `dbs/${rid}/`,
      _etag: row.etag,
      _colls: 'colls/',
      _users: 'users/',
      _ts: row.ts,
    },
  };
}

function toContainer(owner: DatabaseEntry, row: ContainerRow): Container {
  const properties = JSON.parse(row.properties) as JsonObject;
  const rid = containerRid(owner.n, row.n);
  const self = `dbs/${databaseRid(owner.n)}/colls/${rid}/`;
  return {
    n: row.n,
    databaseN: owner.n,
    id: row.id,
    lsn: row.lsn,
    path: `dbs/${owner.id}/colls/${row.id}`,
    rid,
    self,
    partitions: JSON.parse(row.partitions) as PhysicalPartition[],
    rules: rulesOf(properties),
    body: {
      ...properties,
      _rid: rid,
      _self: self,
      _etag: row.etag,
      _ts: row.ts,
      _docs: 'docs/',
      _sprocs: 'sprocs/',
      _triggers: 'triggers/',
      _udfs: 'udfs/',
      _conflicts: 'conflicts/',
    },
  };
}

/** Two creates of one id can share a commit; then only the table knows. */
function translateUnique(what: string): (error: unknown) => never {
  return (error) => {
    throw (error as Error).message?.includes('UNIQUE constraint') ? conflict(what) : error;
  };
}

function newEtag(): string {
  return `"${randomUUID()}"`;
}
