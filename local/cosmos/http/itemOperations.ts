import type { Account } from '../account.ts';
import { effectivePartitionKey } from '../effectivePartitionKey.ts';
import { badRequest, notFound, notImitated, tooLarge } from '../errors.ts';
import { parsePartitionKeyHeader } from '../partitionKey.ts';
import { partitionHolding } from '../physicalPartitions.ts';
import { changeFeedCharge, metadataCharge, queryCharge, readCharge, writeCharge } from '../requestCharge.ts';
import { runBatch } from '../store/batch.ts';
import type { Container } from '../store/catalogue.ts';
import { readChangeFeed, readFeedStart } from '../store/changeFeed.ts';
import { maxItemSize } from '../store/itemRules.ts';
import type { Conditions, StoredItem, WriteResult } from '../store/items.ts';
import { readQueryRequest, runQuery } from '../store/query.ts';
import { planQuery } from '../store/queryPlan.ts';
import { rangeScope, type Scope } from '../store/scope.ts';
import { defaultConsistency, isStrongerThanAccount } from './account.ts';
import {
  type Answer,
  type CosmosRequest,
  header,
  isSet,
  jsonAnswer,
  jsonBody,
  objectBody,
} from './exchange.ts';
import type { Operation } from './operations.ts';

const defaultPageSize = 100;
const maxPageSize = 1000;

/** Answers what goes to the items of one container. */
export async function answerItemOperation(
  account: Account,
  operation: Operation,
  request: CosmosRequest,
): Promise<Answer> {
  const container = account.catalogue.container(operation.database, operation.container);
  const answer = await answerInContainer(account, container, operation, request);
  return { ...answer, headers: { ...sessionHeaders(container, request), ...answer.headers } };
}

async function answerInContainer(
  account: Account,
  container: Container,
  { kind, item }: Operation,
  request: CosmosRequest,
): Promise<Answer> {
  const { items, queue } = account;
  const when: Conditions = {
    ifMatch: header(request, 'if-match'),
    ifNoneMatch: header(request, 'if-none-match'),
  };
  switch (kind) {
    case 'createItem': {
      const pk = requiredKey(request);
      const document = objectBody(request);
      const result = await queue.run(() =>
        items.create(container, queue.nextLsn(container), pk, document, when),
      );
      return writeAnswer(request, 'create', result);
    }
    case 'upsertItem': {
      const pk = requiredKey(request);
      const document = objectBody(request);
      const result = await queue.run(() =>
        items.upsert(container, queue.nextLsn(container), pk, document, when),
      );
      return writeAnswer(request, result.status === 200 ? 'replace' : 'create', result);
    }
    case 'replaceItem': {
      const pk = requiredKey(request);
      const document = objectBody(request);
      const result = await queue.run(() =>
        items.replace(container, queue.nextLsn(container), pk, item, document, when),
      );
      return writeAnswer(request, 'replace', result);
    }
    case 'deleteItem': {
      const pk = requiredKey(request);
      return writeAnswer(request, 'delete', await queue.run(() => items.delete(container, pk, item, when)));
    }
    case 'readItem': {
      const strong = isStrongRead(request);
      const stored = items.find(container, requiredKey(request), item);
      if (stored === undefined) throw notFound();
      const found = strong ? stored : asReplicaSees(account, container.id, request, stored);
      if (found === undefined) throw notFound();
      const charge = readCharge(found.body.length, strong);
      const headers = { etag: found.etag };
      return when.ifNoneMatch === found.etag
        ? { status: 304, headers, charge }
        : { status: 200, headers, charge, body: found.body };
    }
    case 'batch':
      return answerBatch(account, container, request);
    case 'queryPlan':
      return jsonAnswer(200, planQuery(readQueryRequest(jsonBody(request))), metadataCharge);
    case 'query':
      return answerQuery(account, container, request, readQueryRequest(jsonBody(request)));
    case 'listItems':
      return answerQuery(account, container, request, { query: 'SELECT * FROM c', parameters: new Map() });
    case 'changeFeed':
      return answerChangeFeed(account, container, request);
    default:
      throw notImitated(`The operation ${kind} on items`);
  }
}

/** A weak read may miss the last write, unless the session token says that the reader has seen it. */
function asReplicaSees(
  { items, faults }: Account,
  container: string,
  request: CosmosRequest,
  stored: StoredItem,
): { etag: string; body: string } | undefined {
  const previous = items.findPrevious(stored);
  if (previous === undefined) return stored;
  const seen = [...(header(request, 'x-ms-session-token') ?? '').matchAll(/#(\d+)/g)].map(([, lsn]) =>
    Number(lsn),
  );
  if (seen.some((lsn) => lsn >= previous.lsn) || !faults.meetStale({ kind: 'readItem', container }))
    return stored;
  return previous.before;
}

function wantsNoContent(request: CosmosRequest): boolean {
  return header(request, 'prefer') === 'return=minimal';
}

function writeAnswer(
  request: CosmosRequest,
  kind: Parameters<typeof writeCharge>[0],
  result: WriteResult,
): Answer {
  return {
    status: result.status,
    charge: writeCharge(kind, result.body?.length ?? 0),
    ...(result.etag === undefined ? {} : { headers: { etag: result.etag } }),
    ...(result.body === undefined || wantsNoContent(request) ? {} : { body: result.body }),
  };
}

async function answerBatch(account: Account, container: Container, request: CosmosRequest): Promise<Answer> {
  if (!isSet(request, 'x-ms-cosmos-batch-atomic')) {
    throw notImitated('Bulk execution (use items.batch within one partition key)');
  }
  if (Buffer.byteLength(request.body) > maxItemSize) {
    throw tooLarge('Request size is too large: a batch may have at most 2 MB.');
  }
  const pk = requiredKey(request);
  const { status, results, charge } = await runBatch(
    account.queue,
    account.items,
    container,
    pk,
    jsonBody(request),
    wantsNoContent(request),
  );
  return { status, charge, body: `[${results.join(',')}]` };
}

function answerQuery(
  account: Account,
  container: Container,
  request: CosmosRequest,
  query: ReturnType<typeof readQueryRequest>,
): Answer {
  const strong = isStrongRead(request);
  const page = runQuery(
    account.database,
    container,
    query,
    scopeOf(container, request),
    pageSize(request),
    header(request, 'x-ms-continuation'),
  );
  const body = feedBody(container, page.documents);
  return {
    status: 200,
    body,
    charge: queryCharge(page.loaded, body.length, strong),
    headers: {
      'x-ms-item-count': String(page.documents.length),
      ...(page.continuation === undefined ? {} : { 'x-ms-continuation': page.continuation }),
    },
  };
}

function answerChangeFeed(account: Account, container: Container, request: CosmosRequest): Answer {
  const mode = header(request, 'a-im') ?? '';
  if (mode.toLowerCase() !== 'incremental feed') throw notImitated(`The change feed mode '${mode}'`);
  const scope = scopeOf(container, request);
  if (scope.kind === 'all')
    throw badRequest('A change feed is read per partition key or per partition key range.');
  const start = readFeedStart(header(request, 'if-none-match'), header(request, 'if-modified-since'));
  const page = readChangeFeed(account.database, container, scope, start, pageSize(request));
  const headers = { etag: `"${page.lsn}"`, 'x-ms-item-count': String(page.documents.length) };
  const strong = isStrongRead(request);
  if (page.documents.length === 0) return { status: 304, headers, charge: changeFeedCharge(0, strong) };
  const body = feedBody(container, page.documents);
  return { status: 200, headers, body, charge: changeFeedCharge(body.length, strong) };
}

function feedBody(container: Container, documents: readonly string[]): string {
  return `{"_rid":"${container.rid}","Documents":[${documents.join(',')}],"_count":${documents.length}}`;
}

function requiredKey(request: CosmosRequest): string {
  const given = header(request, 'x-ms-documentdb-partitionkey');
  if (given === undefined) {
    throw badRequest(
      'The partition key header is missing: it has fewer components than the container defines.',
      1001,
    );
  }
  return parsePartitionKeyHeader(given);
}

function scopeOf(container: Container, request: CosmosRequest): Scope {
  const key = header(request, 'x-ms-documentdb-partitionkey');
  if (key !== undefined) return { kind: 'key', pk: parsePartitionKeyHeader(key) };
  const range = header(request, 'x-ms-documentdb-partitionkeyrangeid');
  if (range === undefined) return { kind: 'all' };
  return rangeScope(container, range, header(request, 'x-ms-start-epk'), header(request, 'x-ms-end-epk'));
}

function pageSize(request: CosmosRequest): number {
  const given = Number(header(request, 'x-ms-max-item-count') ?? defaultPageSize);
  // -1 leaves the size to the server.
  if (given === -1) return maxPageSize;
  if (!Number.isInteger(given) || given < 1) throw badRequest('x-ms-max-item-count must be -1 or from 1.');
  return Math.min(given, maxPageSize);
}

function isStrongRead(request: CosmosRequest): boolean {
  const level = header(request, 'x-ms-consistency-level') ?? defaultConsistency;
  if (isStrongerThanAccount(level)) {
    throw badRequest(
      `ConsistencyLevel ${level} specified in the request is invalid when the account is configured with ${defaultConsistency}.`,
    );
  }
  return level === defaultConsistency;
}

/** One session token per physical partition that the request concerns. */
function sessionHeaders(container: Container, request: CosmosRequest): Record<string, string> {
  const key = header(request, 'x-ms-documentdb-partitionkey');
  const range = header(request, 'x-ms-documentdb-partitionkeyrangeid')?.split(',').at(-1);
  const ids =
    key !== undefined
      ? [partitionHolding(container.partitions, effectivePartitionKey(parsePartitionKeyHeader(key))).id]
      : range !== undefined
        ? [range]
        : container.partitions.map((one) => one.id);
  return {
    'x-ms-session-token': ids.map((id) => `${id}:-1#${container.lsn}`).join(','),
    lsn: String(container.lsn),
    'x-ms-alt-content-path': container.path,
    'x-ms-content-path': container.rid,
  };
}
