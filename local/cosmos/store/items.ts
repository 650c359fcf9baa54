import { randomUUID } from 'node:crypto';
import { effectivePartitionKey } from '../effectivePartitionKey.ts';
import { badRequest, conflict, notFound, preconditionFailed } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { partitionKeyOf } from '../partitionKey.ts';
import type { Container } from './catalogue.ts';
import type { Database } from './database.ts';
import { checkId, checkSize, expiryOf, nowInSeconds, ownTtl, refuseCondition } from './itemRules.ts';
import { createPreviousVersions, type PreviousVersion } from './previousVersions.ts';
import { itemRid } from './resourceIds.ts';

export interface StoredItem {
  readonly row: number;
  readonly etag: string;
  readonly body: string;
}

export interface Conditions {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

/** What a write did. `body` is the stored JSON text, absent after a delete. */
export interface WriteResult {
  readonly status: 200 | 201 | 204;
  readonly etag?: string;
  readonly body?: string;
}

/** Operations on single items. The writing ones must run inside the write queue, with that transaction's number. */
export interface Items {
  find(container: Container, pk: string, id: string): StoredItem | undefined;
  /** What a replica that has not seen the item's last write would have, if that write is recent. */
  findPrevious(item: StoredItem): PreviousVersion | undefined;
  create(container: Container, lsn: number, pk: string, document: JsonObject, when: Conditions): WriteResult;
  replace(
    container: Container,
    lsn: number,
    pk: string,
    id: string,
    document: JsonObject,
    when: Conditions,
  ): WriteResult;
  upsert(container: Container, lsn: number, pk: string, document: JsonObject, when: Conditions): WriteResult;
  delete(container: Container, pk: string, id: string, when: Conditions): WriteResult;
  /** Removes what is out of time, at most 1,000 items at once. Gives how many. */
  removeExpired(): number;
}

export function openItems(database: Database): Items {
  const findRow = database.prepare(
    'SELECT row, etag, expires, body FROM items WHERE container = ? AND pk = ? AND id = ?',
  );
  const insertRow = database.prepare(
    'INSERT INTO items(row, container, pk, id, lsn, epk, ts, ttl, expires, etag, body) VALUES(?,?,?,?,?,?,?,?,?,?,?)',
  );
  const updateRow = database.prepare(
    'UPDATE items SET lsn = ?, ts = ?, ttl = ?, expires = ?, etag = ?, body = ? WHERE row = ?',
  );
  const deleteRow = database.prepare('DELETE FROM items WHERE row = ?');
  const deleteExpired = database.prepare(
    'DELETE FROM items WHERE row IN (SELECT row FROM items WHERE expires IS NOT NULL AND expires <= ? LIMIT 1000)',
  );
  // The item's text holds its own number, so it is needed before the insert. Numbers are never given twice.
  const lastRow = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'items'").get() as
    { seq: number } | undefined;
  let nextRow = (lastRow?.seq ?? 0) + 1;
  const previous = createPreviousVersions();

  const findAny = (container: Container, pk: string, id: string) =>
    findRow.get(container.n, pk, id) as (StoredItem & { expires: number | null }) | undefined;

  const find = (container: Container, pk: string, id: string): StoredItem | undefined => {
    const found = findAny(container, pk, id);
    return found === undefined || isOver(found) ? undefined : found;
  };

  const prepareBody = (container: Container, pk: string, document: JsonObject, row: number) => {
    if (partitionKeyOf(document, container.partitionPath) !== pk) {
      throw badRequest(
        'The partition key in the item does not match the one in the header (PartitionKey extracted from document).',
        1001,
      );
    }
    const { _lsn, _rid, _self, _etag, _attachments, _ts, ...own } = document;
    const ttl = ownTtl(document);
    const ts = nowInSeconds();
    const rid = itemRid(container.databaseN, container.n, row);
    const etag = `"${randomUUID()}"`;
    const body = JSON.stringify({
      ...own,
      _rid: rid,
      _self: `${container.self}docs/${rid}/`,
      _etag: etag,
      _attachments: 'attachments/',
      _ts: ts,
    });
    checkSize(body);
    return { etag, body, ts, ttl, expires: expiryOf(ts, ttl, container.defaultTtl) };
  };

  const insert = (
    container: Container,
    lsn: number,
    pk: string,
    id: string,
    document: JsonObject,
  ): WriteResult => {
    const over = findAny(container, pk, id);
    if (over !== undefined) deleteRow.run(over.row);
    const row = nextRow;
    nextRow += 1;
    const { etag, body, ts, ttl, expires } = prepareBody(container, pk, document, row);
    insertRow.run(row, container.n, pk, id, lsn, effectivePartitionKey(pk), ts, ttl, expires, etag, body);
    previous.remember(row, { before: undefined, lsn });
    return { status: 201, etag, body };
  };

  const overwrite = (
    container: Container,
    lsn: number,
    pk: string,
    old: StoredItem,
    document: JsonObject,
    when: Conditions,
  ): WriteResult => {
    requireMatch(old, when);
    const { etag, body, ts, ttl, expires } = prepareBody(container, pk, document, old.row);
    updateRow.run(lsn, ts, ttl, expires, etag, body, old.row);
    previous.remember(old.row, { before: { etag: old.etag, body: old.body }, lsn });
    return { status: 200, etag, body };
  };

  return {
    find,
    findPrevious: (item) => previous.find(item.row),

    create(container, lsn, pk, document, when) {
      const id = checkId(document.id);
      refuseCondition('If-Match', when.ifMatch);
      if (when.ifNoneMatch !== '*') refuseCondition('If-None-Match', when.ifNoneMatch);
      if (find(container, pk, id) !== undefined) throw conflict('Entity');
      return insert(container, lsn, pk, id, document);
    },

    replace(container, lsn, pk, id, document, when) {
      refuseCondition('If-None-Match', when.ifNoneMatch);
      const old = find(container, pk, id);
      if (old === undefined) throw notFound();
      if (checkId(document.id) !== id) throw badRequest("The item's id differs from the one in the address.");
      return overwrite(container, lsn, pk, old, document, when);
    },

    upsert(container, lsn, pk, document, when) {
      refuseCondition('If-None-Match', when.ifNoneMatch);
      const id = checkId(document.id);
      const old = find(container, pk, id);
      return old === undefined
        ? insert(container, lsn, pk, id, document)
        : overwrite(container, lsn, pk, old, document, when);
    },

    delete(container, pk, id, when) {
      refuseCondition('If-None-Match', when.ifNoneMatch);
      const old = find(container, pk, id);
      if (old === undefined) throw notFound();
      requireMatch(old, when);
      deleteRow.run(old.row);
      return { status: 204 };
    },

    removeExpired: () => Number(deleteExpired.run(nowInSeconds()).changes),
  };
}

function isOver(item: { expires: number | null }): boolean {
  return item.expires !== null && item.expires <= nowInSeconds();
}

function requireMatch(item: StoredItem, when: Conditions): void {
  if (when.ifMatch !== undefined && when.ifMatch !== '*' && when.ifMatch !== item.etag) {
    throw preconditionFailed();
  }
}
