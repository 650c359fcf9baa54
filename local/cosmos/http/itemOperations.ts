import type { Account } from '../account.ts';
import { notFound, notImitated, tooLarge } from '../errors.ts';
import { changeFeedCharge, metadataCharge, queryCharge, readCharge, writeCharge } from '../requestCharge.ts';
import { runBatch } from '../store/batch.ts';
import { runBulk } from '../store/bulk.ts';
import type { Container } from '../store/catalogue.ts';
import { readChangeFeed, readFeedStart } from '../store/changeFeed.ts';
import { maxItemSize } from '../store/itemRules.ts';
import type { Conditions, Target, WriteResult } from '../store/items.ts';
import type { StoredItem } from '../store/itemTable.ts';
import { readPatch } from '../store/patch.ts';
import { runQuery } from '../store/query.ts';
import { planQuery } from '../store/queryPlan.ts';
import { type QueryRequest, readQueryRequest } from '../store/queryRequest.ts';
import {
  type Answer,
  type CosmosRequest,
  header,
  isSet,
  jsonAnswer,
  jsonBody,
  objectBody,
} from './exchange.ts';
import { feedScope, isStrongRead, pageSize, plannedRange, requiredKey, scopeOf } from './itemRequest.ts';
import type { Operation } from './operations.ts';
import { seenLsns, sessionHeaders } from './sessionTokens.ts';

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
  const write = <Result>(work: (target: Target) => Result): Promise<Result> => {
    const pk = requiredKey(container, request);
    return queue.run(() => work({ container, lsn: queue.nextLsn(container), pk }));
  };
  switch (kind) {
    case 'createItem': {
      const document = objectBody(request);
      return writeAnswer(request, 'create', await write((target) => items.create(target, document, when)));
    }
    case 'upsertItem': {
      const document = objectBody(request);
      const result = await write((target) => items.upsert(target, document, when));
      return writeAnswer(request, result.status === 200 ? 'replace' : 'create', result);
    }
    case 'replaceItem': {
      const document = objectBody(request);
      const result = await write((target) => items.replace(target, item, document, when));
      return writeAnswer(request, 'replace', result);
    }
    case 'patchItem': {
      const patch = readPatch(jsonBody(request));
      const result = await write((target) => items.patch(target, item, patch, when));
      return writeAnswer(request, 'replace', result);
    }
    case 'deleteItem':
      return writeAnswer(request, 'delete', await write((target) => items.delete(target, item, when)));
    case 'deletePartition': {
      const count = await write((target) => items.deleteAll(target));
      return { status: 200, charge: writeCharge('delete', 0) * Math.max(1, count) };
    }
    case 'readItem': {
      const strong = isStrongRead(request);
      const stored = items.find(container, requiredKey(container, request), item);
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
    case 'bulk':
      return answerBatch(account, container, kind, request);
    case 'queryPlan': {
      const plan = planQuery(readQueryRequest(jsonBody(request)), plannedRange(container, request));
      return jsonAnswer(200, plan, metadataCharge);
    }
    case 'query':
      return answerQuery(account, container, kind, request, readQueryRequest(jsonBody(request)));
    case 'listItems':
      return answerQuery(account, container, kind, request, {
        query: 'SELECT * FROM c',
        parameters: new Map(),
      });
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
  if (seenLsns(request).some((lsn) => lsn >= previous.lsn)) return stored;
  return faults.meetStale({ kind: 'readItem', container }) === undefined ? stored : previous.before;
}

/** The last transaction that the replica knows which answers a weak read, if it lags behind. */
function horizonOf(
  { faults }: Account,
  container: Container,
  kind: 'query' | 'listItems' | 'changeFeed',
  request: CosmosRequest,
): number | undefined {
  const seen = Math.max(0, ...seenLsns(request));
  if (isStrongRead(request) || seen >= container.lsn) return undefined;
  const lag = faults.meetStale({ kind, container: container.id });
  return lag === undefined ? undefined : Math.max(seen, container.lsn - lag);
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

async function answerBatch(
  { queue, items }: Account,
  container: Container,
  kind: 'batch' | 'bulk',
  request: CosmosRequest,
): Promise<Answer> {
  if (Buffer.byteLength(request.body) > maxItemSize) {
    throw tooLarge('Request size is too large: a batch may have at most 2 MB.');
  }
  const withoutContent = wantsNoContent(request);
  const { status, results, charge } =
    kind === 'batch'
      ? await runBatch(
          ...([queue, items, container, requiredKey(container, request)] as const),
          jsonBody(request),
          withoutContent,
        )
      : await runBulk(
          ...([queue, items, container] as const),
          header(request, 'x-ms-documentdb-partitionkeyrangeid'),
          jsonBody(request),
          { goesOn: isSet(request, 'x-ms-cosmos-batch-continue-on-error'), withoutContent },
        );
  return { status, charge, body: `[${results.join(',')}]` };
}

function answerQuery(
  account: Account,
  container: Container,
  kind: 'query' | 'listItems',
  request: CosmosRequest,
  query: QueryRequest,
): Answer {
  const strong = isStrongRead(request);
  const horizon = horizonOf(account, container, kind, request);
  const page = runQuery(
    account.database,
    container,
    query,
    scopeOf(container, request),
    pageSize(request),
    header(request, 'x-ms-continuation'),
    horizon === undefined ? undefined : account.items.replicaAt(horizon),
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
  const { mode, scope } = feedScope(container, request);
  const start = readFeedStart(header(request, 'if-none-match'), header(request, 'if-modified-since'));
  const end = horizonOf(account, container, 'changeFeed', request) ?? container.lsn;
  const page = readChangeFeed(account.database, container, mode, scope, start, pageSize(request), end);
  const headers = { etag: `"${page.lsn}"`, 'x-ms-item-count': String(page.documents.length) };
  const strong = isStrongRead(request);
  if (page.documents.length === 0) return { status: 304, headers, charge: changeFeedCharge(0, strong) };
  const body = feedBody(container, page.documents);
  return { status: 200, headers, body, charge: changeFeedCharge(body.length, strong) };
}

function feedBody(container: Container, documents: readonly string[]): string {
  return `{"_rid":"${container.rid}","Documents":[${documents.join(',')}],"_count":${documents.length}}`;
}
