import { badRequest } from '../errors.ts';
import type { Container } from './catalogue.ts';
import type { Database } from './database.ts';
import { nowInSeconds } from './itemRules.ts';
import { type Scope, scopeCondition } from './scope.ts';

/** The latest version of each item that is there, or every version with deletions. */
export type FeedMode = 'latest' | 'all';

/** Where a reader stands: after a transaction, at a point in time (seconds), at the end, or at the beginning. */
export type FeedStart =
  | { readonly kind: 'after'; readonly lsn: number }
  | { readonly kind: 'since'; readonly seconds: number }
  | { readonly kind: 'now' }
  | { readonly kind: 'beginning' };

/** A page of changes in the order of writes. `lsn` is where the next page begins. */
export interface FeedPage {
  readonly documents: readonly string[];
  readonly lsn: number;
}

/** Pages end here even when more items are allowed, as the service's do. */
const maxPageSize = 4 * 1024 * 1024;

interface Row {
  lsn: number;
  body: string;
}

export function readFeedStart(
  ifNoneMatch: string | undefined,
  ifModifiedSince: string | undefined,
): FeedStart {
  // The SDK goes on sending the point in time with every continuation; the continuation wins.
  if (ifNoneMatch === '*') return { kind: 'now' };
  if (ifNoneMatch !== undefined) {
    const lsn = Number(ifNoneMatch.replaceAll('"', ''));
    if (!Number.isSafeInteger(lsn))
      throw badRequest(`The change-feed continuation ${ifNoneMatch} is not known.`);
    return { kind: 'after', lsn };
  }
  if (ifModifiedSince !== undefined) {
    const seconds = Math.floor(Date.parse(ifModifiedSince) / 1000);
    if (Number.isNaN(seconds)) throw badRequest(`If-Modified-Since ${ifModifiedSince} is no date.`);
    return { kind: 'since', seconds };
  }
  return { kind: 'beginning' };
}

/** Reads a page of at most `maxItems`, or more when one transaction has more: it is never split. */
export function readChangeFeed(
  database: Database,
  container: Container,
  mode: FeedMode,
  scope: Scope,
  start: FeedStart,
  maxItems: number,
  /** The last transaction to be shown. */
  end: number,
): FeedPage {
  if (mode === 'all') checkAllVersions(container, start);
  if (start.kind === 'now') return { documents: [], lsn: end };
  const within = scopeCondition(container, scope);
  const from =
    start.kind === 'after'
      ? { sql: ' AND lsn > ?', values: [start.lsn] }
      : start.kind === 'since'
        ? { sql: ' AND ts >= ?', values: [start.seconds] }
        : { sql: '', values: [] };
  const order =
    mode === 'all'
      ? { table: 'versions', sql: ' ORDER BY lsn, n', values: [] }
      : {
          table: 'items',
          sql: ' AND (expires IS NULL OR expires > ?) ORDER BY lsn, row',
          values: [nowInSeconds()],
        };
  const rows = database
    .prepare(`SELECT lsn, body FROM ${order.table} WHERE ${within.sql} AND lsn <= ?${from.sql}${order.sql}`)
    .iterate(...within.values, end, ...from.values, ...order.values) as Iterable<unknown>;

  const documents: string[] = [];
  let size = 0;
  let lsn: number | undefined;
  for (const one of rows) {
    const row = one as Row;
    if (row.lsn !== lsn && documents.length > 0 && (documents.length >= maxItems || size >= maxPageSize)) {
      return { documents, lsn: lsn ?? row.lsn };
    }
    lsn = row.lsn;
    size += row.body.length;
    documents.push(mode === 'all' ? row.body : `${row.body.slice(0, -1)},"_lsn":${row.lsn}}`);
  }
  // Nothing newer lies in this scope, so the reader may stand at the end.
  return { documents, lsn: Math.max(end, start.kind === 'after' ? start.lsn : 0) };
}

function checkAllVersions(container: Container, start: FeedStart): void {
  if (container.rules.versionRetention === undefined) {
    throw badRequest(
      'All versions and deletes are kept only by a container with changeFeedPolicy.retentionDuration.',
    );
  }
  if (start.kind === 'since' || start.kind === 'beginning') {
    throw badRequest('All versions and deletes can be read from now or from a continuation only.');
  }
}
