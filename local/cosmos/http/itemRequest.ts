import { badRequest, notImitated } from '../errors.ts';
import { fewerComponents, type GivenKey, parsePartitionKeyHeader } from '../partitionKey.ts';
import type { Container } from '../store/catalogue.ts';
import type { FeedMode } from '../store/changeFeed.ts';
import type { PlannedRange } from '../store/queryPlan.ts';
import { epkRange, keyScope, prefixScope, rangeScope, type Scope } from '../store/scope.ts';
import { defaultConsistency, isStrongerThanAccount } from './account.ts';
import { type CosmosRequest, header } from './exchange.ts';

const defaultPageSize = 100;
const maxPageSize = 1000;

/** The partition key of the header, if there is one. */
export function givenKey(container: Container, request: CosmosRequest): GivenKey | undefined {
  const given = header(request, 'x-ms-documentdb-partitionkey');
  if (given === undefined) return undefined;
  return parsePartitionKeyHeader(given, container.rules.partitionPaths.length);
}

/** The whole partition key that an operation on items must name. */
export function requiredKey(container: Container, request: CosmosRequest): string {
  const given = givenKey(container, request);
  if (given === undefined || given.isPrefix) throw fewerComponents();
  return given.pk;
}

/** What of a container a read asks for, by key, by physical partition, or by both. */
export function scopeOf(container: Container, request: CosmosRequest): Scope {
  const key = givenKey(container, request);
  const range = header(request, 'x-ms-documentdb-partitionkeyrangeid');
  const within: Scope =
    range === undefined
      ? { kind: 'all' }
      : rangeScope(container, range, header(request, 'x-ms-start-epk'), header(request, 'x-ms-end-epk'));
  if (key === undefined) return within;
  return key.isPrefix ? prefixScope(key.pk, within) : keyScope(key.pk, within);
}

/** The part of the ring that a query concerns. */
export function plannedRange(container: Container, request: CosmosRequest): PlannedRange {
  const key = givenKey(container, request);
  return key === undefined ? { min: '', max: 'FF' } : epkRange(key.pk);
}

export function feedScope(container: Container, request: CosmosRequest): { mode: FeedMode; scope: Scope } {
  const given = header(request, 'a-im') ?? '';
  const mode = { 'incremental feed': 'latest', 'full-fidelity feed': 'all' }[given.toLowerCase()];
  if (mode === undefined) throw notImitated(`The change feed mode '${given}'`);
  const scope = scopeOf(container, request);
  if (scope.kind === 'all') {
    throw badRequest('A change feed is read per partition key or per partition key range.');
  }
  return { mode: mode as FeedMode, scope };
}

export function pageSize(request: CosmosRequest): number {
  const given = Number(header(request, 'x-ms-max-item-count') ?? defaultPageSize);
  // -1 leaves the size to the server.
  if (given === -1) return maxPageSize;
  if (!Number.isInteger(given) || given < 1) throw badRequest('x-ms-max-item-count must be -1 or from 1.');
  return Math.min(given, maxPageSize);
}

export function isStrongRead(request: CosmosRequest): boolean {
  const level = header(request, 'x-ms-consistency-level') ?? defaultConsistency;
  if (isStrongerThanAccount(level)) {
    throw badRequest(
      `ConsistencyLevel ${level} specified in the request is invalid when the account is configured with ${defaultConsistency}.`,
    );
  }
  return level === defaultConsistency;
}
