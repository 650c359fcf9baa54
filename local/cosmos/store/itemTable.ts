import type { Container } from './catalogue.ts';
import type { Database } from './database.ts';
import { isPast, nowInSeconds } from './itemRules.ts';
import type { StoredForm } from './storedForm.ts';

export interface StoredItem {
  readonly row: number;
  readonly etag: string;
  readonly body: string;
  /** The transaction that wrote it. */
  readonly lsn: number;
}

export interface TimedItem extends StoredItem {
  readonly expires: number | null;
}

interface KeyedItem extends TimedItem {
  readonly pk: string;
  readonly id: string;
}

interface Place {
  readonly pk: string;
  readonly id: string;
  readonly epk: string;
}

/** The rows of items. */
export interface ItemTable {
  /** An item that is not out of time. */
  find(container: Container, pk: string, id: string): TimedItem | undefined;
  findAny(container: Container, pk: string, id: string): TimedItem | undefined;
  /** Whether a row is out of time, or gone. */
  isOver(row: number): boolean;
  allOf(container: Container, pk: string): KeyedItem[];
  /** At most 1,000 items that are out of time. */
  overdue(container: Container): KeyedItem[];
  /** A number that no row ever had. */
  nextRow(): number;
  insert(row: number, container: Container, place: Place, lsn: number, stored: StoredForm): void;
  update(row: number, lsn: number, stored: StoredForm): void;
  delete(row: number): void;
}

export function openItemTable(database: Database): ItemTable {
  const columns = 'row, etag, expires, body, lsn, pk, id';
  const findRow = database.prepare(
    'SELECT row, etag, expires, body, lsn FROM items WHERE container = ? AND pk = ? AND id = ?',
  );
  const expiresOf = database.prepare('SELECT expires FROM items WHERE row = ?');
  const ofKey = database.prepare(`SELECT ${columns} FROM items WHERE container = ? AND pk = ?`);
  const overdue = database.prepare(
    `SELECT ${columns} FROM items WHERE expires IS NOT NULL AND expires <= ? AND container = ? LIMIT 1000`,
  );
  const insertRow = database.prepare(
    'INSERT INTO items(row, container, pk, id, lsn, epk, ts, ttl, expires, etag, body) VALUES(?,?,?,?,?,?,?,?,?,?,?)',
  );
  const updateRow = database.prepare(
    'UPDATE items SET lsn = ?, ts = ?, ttl = ?, expires = ?, etag = ?, body = ? WHERE row = ?',
  );
  const deleteRow = database.prepare('DELETE FROM items WHERE row = ?');
  // The item's text holds its own number, so it is needed before the insert.
  const lastRow = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'items'").get() as
    { seq: number } | undefined;
  let last = lastRow?.seq ?? 0;

  const findAny = (container: Container, pk: string, id: string) =>
    findRow.get(container.n, pk, id) as TimedItem | undefined;

  return {
    findAny,
    find(container, pk, id) {
      const found = findAny(container, pk, id);
      return found === undefined || isPast(found.expires) ? undefined : found;
    },
    isOver(row) {
      const found = expiresOf.get(row) as { expires: number | null } | undefined;
      return found === undefined || isPast(found.expires);
    },
    allOf: (container, pk) => ofKey.all(container.n, pk) as unknown as KeyedItem[],
    overdue: (container) => overdue.all(nowInSeconds(), container.n) as unknown as KeyedItem[],
    nextRow() {
      last += 1;
      return last;
    },
    insert(row, container, { pk, id, epk }, lsn, { ts, ttl, expires, etag, body }) {
      insertRow.run(row, container.n, pk, id, lsn, epk, ts, ttl, expires, etag, body);
    },
    update(row, lsn, { ts, ttl, expires, etag, body }) {
      updateRow.run(lsn, ts, ttl, expires, etag, body, row);
    },
    delete: (row) => void deleteRow.run(row),
  };
}
