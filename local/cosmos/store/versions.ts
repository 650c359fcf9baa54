import type { Json, JsonObject } from '../json.ts';
import type { Container } from './catalogue.ts';
import type { Database } from './database.ts';
import { nowInSeconds } from './itemRules.ts';

/** What happened to an item. */
export interface Change {
  readonly operation: 'create' | 'replace' | 'delete';
  readonly pk: string;
  readonly epk: string;
  readonly id: string;
  /** JSON texts. */
  readonly current: string | undefined;
  readonly previous: { readonly body: string; readonly lsn: number } | undefined;
  readonly timeToLiveExpired?: true;
}

/** All versions of items, deletions included, for containers that keep them. */
export interface Versions {
  record(container: Container, lsn: number, change: Change): void;
  /** Forgets what was kept long enough. */
  forgetOld(container: Container): void;
}

export function openVersions(database: Database): Versions {
  const insert = database.prepare(
    'INSERT INTO versions(container, lsn, epk, pk, ts, body) VALUES(?, ?, ?, ?, ?, ?)',
  );
  const remove = database.prepare('DELETE FROM versions WHERE container = ? AND ts < ?');
  return {
    record(container, lsn, change) {
      if (container.rules.versionRetention === undefined) return;
      const ts = nowInSeconds();
      insert.run(container.n, lsn, change.epk, change.pk, ts, describe(container, lsn, ts, change));
    },
    forgetOld(container) {
      const { versionRetention } = container.rules;
      if (versionRetention !== undefined) remove.run(container.n, nowInSeconds() - versionRetention);
    },
  };
}

function describe(container: Container, lsn: number, ts: number, change: Change): string {
  const { operation, previous, timeToLiveExpired } = change;
  const metadata: JsonObject = {
    lsn,
    crts: ts,
    operationType: operation,
    previousImageLSN: previous?.lsn ?? 0,
    ...(timeToLiveExpired === undefined ? {} : { timeToLiveExpired }),
    // The image of a deleted item is empty, so this tells which one it was.
    ...(operation === 'delete' ? { id: change.id, partitionKey: partitionKeyOf(container, change.pk) } : {}),
  };
  const images = [
    `"current":${change.current ?? '{}'}`,
    ...(previous === undefined ? [] : [`"previous":${previous.body}`]),
  ];
  return `{${images.join(',')},"metadata":${JSON.stringify(metadata)}}`;
}

function partitionKeyOf(container: Container, pk: string): JsonObject {
  const values = JSON.parse(pk) as Json[];
  return Object.fromEntries(
    container.rules.partitionPaths.map((path, index) => [path.join('/'), values[index] ?? null]),
  );
}
