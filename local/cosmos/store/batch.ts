import { badRequest, CosmosError, notFound, notImitated } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { isJsonObject } from '../json.ts';
import { readCharge, refusalCharge, writeCharge } from '../requestCharge.ts';
import type { Container } from './catalogue.ts';
import type { Items } from './items.ts';
import type { WriteQueue } from './writeQueue.ts';

export interface BatchAnswer {
  readonly status: 200 | 207;
  /** JSON texts, one per operation. */
  readonly results: readonly string[];
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
  withoutContent: boolean,
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
    return answerOf(200, results, withoutContent);
  } catch (error) {
    if (!(error instanceof BatchFailure)) throw error;
    const results = operations.map((_, index) => (index === error.index ? failed(error.reason) : innocent));
    return answerOf(207, results, withoutContent);
  }
}

/** What one operation did. `body` is the item's JSON text. */
interface OperationResult {
  readonly status: number;
  readonly charge: number;
  readonly etag?: string | undefined;
  readonly body?: string | undefined;
  readonly isRead?: boolean;
  readonly message?: string;
  readonly substatus?: number | undefined;
}

function runOperation(
  items: Items,
  container: Container,
  lsn: number,
  pk: string,
  operation: JsonObject,
): OperationResult {
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
      const charge = readCharge(found.body.length, true);
      return { status: 200, etag: found.etag, body: found.body, charge, isRead: true };
    }
    default:
      throw notImitated(`The batch operation '${String(operation.operationType)}'`);
  }
}

function written(
  kind: Parameters<typeof writeCharge>[0],
  { status, etag, body }: { status: number; etag?: string; body?: string },
): OperationResult {
  return { status, etag, body, charge: writeCharge(kind, body?.length ?? 0) };
}

const failed = ({ status, message, substatus }: CosmosError): OperationResult => ({
  status,
  message,
  substatus,
  charge: refusalCharge,
});

const innocent: OperationResult = { status: failedDependency, charge: 0 };

function answerOf(
  status: 200 | 207,
  results: readonly OperationResult[],
  withoutContent: boolean,
): BatchAnswer {
  return {
    status,
    charge: results.reduce((sum, result) => sum + result.charge, 0),
    results: results.map((result) => toJson(result, withoutContent && result.isRead !== true)),
  };
}

/** The item's text goes in as it is; taking it apart and together again would cost more than the write. */
function toJson({ status, charge, etag, body, message, substatus }: OperationResult, bare: boolean): string {
  const fields = JSON.stringify({
    statusCode: status,
    subStatusCode: substatus,
    requestCharge: charge,
    eTag: etag,
    message,
  });
  return body === undefined || bare ? fields : `${fields.slice(0, -1)},"resourceBody":${body}}`;
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
