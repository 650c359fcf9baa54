import { effectivePartitionKey } from '../effectivePartitionKey.ts';
import { badRequest, conflict, notFound, preconditionFailed } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { Container } from './catalogue.ts';
import type { Database } from './database.ts';
import { checkId, isPast, refuseCondition } from './itemRules.ts';
import { type ItemTable, openItemTable, type StoredItem, type TimedItem } from './itemTable.ts';
import { applyPatch, type Patch } from './patch.ts';
import { createPreviousVersions, type PreviousVersion } from './previousVersions.ts';
import type { Replica } from './queryRun.ts';
import { storedForm } from './storedForm.ts';
import { openUniqueKeys } from './uniqueKeys.ts';
import { openVersions } from './versions.ts';

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

/** Where an item is to be found, and the number of the transaction that changes it. */
export interface Target {
  readonly container: Container;
  readonly lsn: number;
  readonly pk: string;
}

/** Operations on single items. The writing ones must run inside the write queue, with that transaction's number. */
export interface Items {
  find(container: Container, pk: string, id: string): StoredItem | undefined;
  /** What a replica that has not seen the item's last write would have, if that write is recent. */
  findPrevious(item: StoredItem): PreviousVersion | undefined;
  /** What a replica that knows no later transaction has of a row. It knows of deletions, though. */
  replicaAt(horizon: number): Replica;
  create(target: Target, document: JsonObject, when: Conditions): WriteResult;
  replace(target: Target, id: string, document: JsonObject, when: Conditions): WriteResult;
  upsert(target: Target, document: JsonObject, when: Conditions): WriteResult;
  patch(target: Target, id: string, patch: Patch, when: Conditions): WriteResult;
  delete(target: Target, id: string, when: Conditions): WriteResult;
  /** Deletes all items of a partition key. Gives how many. */
  deleteAll(target: Target): number;
  /** Removes what is out of time in a container, at most 1,000 items at once. */
  removeExpired(container: Container, nextLsn: () => number): void;
}

export function openItems(database: Database): Items {
  const table: ItemTable = openItemTable(database);
  const uniqueKeys = openUniqueKeys(database, (row) => table.isOver(row));
  const versions = openVersions(database);
  const previous = createPreviousVersions();
  const { find } = table;

  const remove = ({ container, lsn, pk }: Target, id: string, old: TimedItem): void => {
    table.delete(old.row);
    versions.record(container, lsn, {
      ...{ operation: 'delete', pk, epk: effectivePartitionKey(pk), id, current: undefined, previous: old },
      ...(isPast(old.expires) ? { timeToLiveExpired: true } : {}),
    });
  };

  const insert = (target: Target, id: string, document: JsonObject): WriteResult => {
    const { container, lsn, pk } = target;
    const over = table.findAny(container, pk, id);
    if (over !== undefined) remove(target, id, over);
    const row = table.nextRow();
    const stored = storedForm(container, pk, document, row);
    uniqueKeys.claim(container, pk, row, document);
    const epk = effectivePartitionKey(pk);
    table.insert(row, container, { pk, id, epk }, lsn, stored);
    previous.remember(row, { before: undefined, lsn });
    const change = { operation: 'create', pk, epk, id, current: stored.body, previous: undefined } as const;
    versions.record(container, lsn, change);
    return { status: 201, etag: stored.etag, body: stored.body };
  };

  const overwrite = (
    { container, lsn, pk }: Target,
    id: string,
    old: StoredItem,
    document: JsonObject,
    when: Conditions,
  ): WriteResult => {
    requireMatch(old, when);
    const stored = storedForm(container, pk, document, old.row);
    uniqueKeys.claim(container, pk, old.row, document);
    table.update(old.row, lsn, stored);
    previous.remember(old.row, { before: { etag: old.etag, body: old.body }, lsn });
    const epk = effectivePartitionKey(pk);
    const change = { operation: 'replace', pk, epk, id, current: stored.body, previous: old } as const;
    versions.record(container, lsn, change);
    return { status: 200, etag: stored.etag, body: stored.body };
  };

  const existing = ({ container, pk }: Target, id: string): TimedItem => {
    const found = find(container, pk, id);
    if (found === undefined) throw notFound();
    return found;
  };

  return {
    find,
    findPrevious: (item) => previous.find(item.row),
    replicaAt:
      (horizon) =>
      ({ row, lsn, body }) => {
        if (lsn <= horizon) return body;
        const known = previous.find(row);
        // A write that is not remembered has reached every replica.
        return known === undefined ? body : known.before?.body;
      },

    create(target, document, when) {
      const id = checkId(document.id);
      refuseCondition('If-Match', when.ifMatch);
      if (when.ifNoneMatch !== '*') refuseCondition('If-None-Match', when.ifNoneMatch);
      if (find(target.container, target.pk, id) !== undefined) throw conflict('Entity');
      return insert(target, id, document);
    },

    replace(target, id, document, when) {
      refuseCondition('If-None-Match', when.ifNoneMatch);
      const old = existing(target, id);
      if (checkId(document.id) !== id) throw badRequest("The item's id differs from the one in the address.");
      return overwrite(target, id, old, document, when);
    },

    upsert(target, document, when) {
      refuseCondition('If-None-Match', when.ifNoneMatch);
      const id = checkId(document.id);
      const old = find(target.container, target.pk, id);
      return old === undefined ? insert(target, id, document) : overwrite(target, id, old, document, when);
    },

    patch(target, id, patch, when) {
      refuseCondition('If-None-Match', when.ifNoneMatch);
      const old = existing(target, id);
      requireMatch(old, when);
      const document = applyPatch(JSON.parse(old.body) as JsonObject, patch, target.container);
      return overwrite(target, id, old, document, {});
    },

    delete(target, id, when) {
      refuseCondition('If-None-Match', when.ifNoneMatch);
      const old = existing(target, id);
      requireMatch(old, when);
      remove(target, id, old);
      return { status: 204 };
    },

    deleteAll(target) {
      const all = table.allOf(target.container, target.pk);
      for (const item of all) remove(target, item.id, item);
      return all.length;
    },

    removeExpired(container, nextLsn) {
      versions.forgetOld(container);
      const over = table.overdue(container);
      if (over.length === 0) return;
      const lsn = nextLsn();
      for (const item of over) remove({ container, lsn, pk: item.pk }, item.id, item);
    },
  };
}

function requireMatch(item: StoredItem, when: Conditions): void {
  if (when.ifMatch !== undefined && when.ifMatch !== '*' && when.ifMatch !== item.etag) {
    throw preconditionFailed();
  }
}
