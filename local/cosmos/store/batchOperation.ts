import { badRequest, type CosmosError, notFound, notImitated } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { isJsonObject } from '../json.ts';
import { readCharge, refusalCharge, writeCharge } from '../requestCharge.ts';
import type { Items, Target } from './items.ts';
import { readPatch } from './patch.ts';

const maxOperations = 100;

/** Reads the list of operations of a batch or of a bulk request. */
export function readOperations(body: Json): JsonObject[] {
  if (!Array.isArray(body) || body.length === 0 || !body.every(isJsonObject)) {
    throw badRequest('The batch is no list of operations.');
  }
  if (body.length > maxOperations) {
    throw badRequest(`Batch request has more operations than what is supported (${maxOperations}).`);
  }
  return body;
}

/** What one operation did. `body` is the item's JSON text. */
export interface OperationResult {
  readonly status: number;
  readonly charge: number;
  readonly etag?: string | undefined;
  readonly body?: string | undefined;
  readonly isRead?: boolean;
  readonly message?: string;
  readonly substatus?: number | undefined;
}

/** Runs one operation of a batch. Must run inside the write queue. Throws CosmosError for refusals. */
export function runOperation(items: Items, target: Target, operation: JsonObject): OperationResult {
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
      return written('create', items.create(target, withDocument(), when));
    case 'Upsert':
      return written('upsert', items.upsert(target, withDocument(), when));
    case 'Replace':
      return written('replace', items.replace(target, id(), withDocument(), when));
    case 'Delete':
      return written('delete', items.delete(target, id(), when));
    case 'Patch':
      return written('replace', items.patch(target, id(), readPatch(document), when));
    case 'Read': {
      const found = items.find(target.container, target.pk, id());
      if (found === undefined) throw notFound();
      const charge = readCharge(found.body.length, true);
      if (when.ifNoneMatch === found.etag) return { status: 304, etag: found.etag, charge };
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

export const failed = ({ status, message, substatus }: CosmosError): OperationResult => ({
  status,
  message,
  substatus,
  charge: refusalCharge,
});

/** For an operation that was not done because another one failed. */
export const innocent: OperationResult = { status: 424, charge: 0 };

/** The item's text goes in as it is; taking it apart and together again would cost more than the write. */
export function resultText(
  { status, charge, etag, body, message, substatus }: OperationResult,
  bare: boolean,
): string {
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
