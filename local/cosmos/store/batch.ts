import { badRequest, CosmosError, notFound, notImitated } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { isJsonObject } from '../json.ts';
import { readCharge, writeCharge } from '../requestCharge.ts';
import type { Container } from './catalogue.ts';
import type { Items } from './items.ts';
import type { WriteQueue } from './writeQueue.ts';

export interface BatchAnswer {
  readonly status: 200 | 207;
  readonly results: readonly JsonObject[];
  readonly charge: number;
}

const maxOperations = 100;
const failedDependency = 424;

/** The first operation that failed, carried out of the transaction so that all of it is undone. */
class BatchFailure extends Error {
  readonly index: number;
  readonly reason: CosmosError;

  constructor(index: number, reason: CosmosError) {
    super(reason.message);
    this.name = 'BatchFailure';
    this.index = index;
    this.reason = reason;
  }
}

/** Runs all operations in one transaction under one number, or none: then 207 with 424 for the innocent ones. */
export async function runBatch(
  queue: WriteQueue,
  items: Items,
  container: Container,
  pk: string,
  operations: Json,
): Promise<BatchAnswer> {
  if (!Array.isArray(operations) || operations.length === 0 || !operations.every(isJsonObject)) {
    throw badRequest('The batch is no list of operations.');
  }
  if (operations.length > maxOperations) {
    throw badRequest(`Batch request has more operations than what is supported (${maxOperations}).`);
  }
  try {
    const results = await queue.run(() => {
      const lsn = queue.nextLsn(container);
      return operations.map((operation, index) => {
        try {
          return runOperation(items, container, lsn, pk, operation);
        } catch (error) {
          if (!(error instanceof CosmosError)) throw error;
          throw new BatchFailure(index, error);
        }
      });
    });
    return { status: 200, results, charge: totalCharge(results) };
  } catch (error) {
    if (!(error instanceof BatchFailure)) throw error;
    const results = operations.map((_, index) => (index === error.index ? failed(error.reason) : innocent()));
    return { status: 207, results, charge: totalCharge(results) };
  }
}

function runOperation(
  items: Items,
  container: Container,
  lsn: number,
  pk: string,
  operation: JsonObject,
): JsonObject {
  const when = { ifMatch: text(operation.ifMatch), ifNoneMatch: text(operation.ifNoneMatch) };
  const document = operation.resourceBody;
  const withDocument = (): JsonObject => {
    if (!isJsonObject(document)) throw badRequest('The operation has no resourceBody.');
    return document;
  };
  const id = (): string => {
    if (typeof operation.id !== 'string') throw badRequest('The operation has no id.');
    return operation.id;
  };
  switch (operation.operationType) {
    case 'Create':
      return written('create', items.create(container, lsn, pk, withDocument(), when));
    case 'Upsert':
      return written('upsert', items.upsert(container, lsn, pk, withDocument(), when));
    case 'Replace':
      return written('replace', items.replace(container, lsn, pk, id(), withDocument(), when));
    case 'Delete':
      return written('delete', items.delete(container, pk, id(), when));
    case 'Read': {
      const found = items.find(container, pk, id());
      if (found === undefined) throw notFound();
      return {
        statusCode: 200,
        eTag: found.etag,
        requestCharge: readCharge(found.body.length, true),
        resourceBody: JSON.parse(found.body) as Json,
      };
    }
    default:
      throw notImitated(`The batch operation '${String(operation.operationType)}'`);
  }
}

function written(
  kind: Parameters<typeof writeCharge>[0],
  result: { status: number; etag?: string; body?: string },
): JsonObject {
  return {
    statusCode: result.status,
    requestCharge: writeCharge(kind, result.body?.length ?? 0),
    ...(result.etag === undefined ? {} : { eTag: result.etag }),
    ...(result.body === undefined ? {} : { resourceBody: JSON.parse(result.body) as Json }),
  };
}

function failed(reason: CosmosError): JsonObject {
  return {
    statusCode: reason.status,
    requestCharge: 1.24,
    message: reason.message,
    ...(reason.substatus === undefined ? {} : { subStatusCode: reason.substatus }),
  };
}

const innocent = (): JsonObject => ({ statusCode: failedDependency, requestCharge: 0 });

function totalCharge(results: readonly JsonObject[]): number {
  return results.reduce((sum, result) => sum + Number(result.requestCharge), 0);
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
