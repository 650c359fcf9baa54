import { CosmosError } from '../errors.ts';
import type { Json } from '../json.ts';
import {
  failed,
  innocent,
  type OperationResult,
  readOperations,
  resultText,
  runOperation,
} from './batchOperation.ts';
import type { Container } from './catalogue.ts';
import type { Items } from './items.ts';
import type { WriteQueue } from './writeQueue.ts';

export interface BatchAnswer {
  readonly status: 200 | 207;
  /** JSON texts, one per operation. */
  readonly results: readonly string[];
  readonly charge: number;
}

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
  body: Json,
  withoutContent: boolean,
): Promise<BatchAnswer> {
  const operations = readOperations(body);
  try {
    const results = await queue.run(() => {
      const target = { container, lsn: queue.nextLsn(container), pk };
      return operations.map((operation, index) => {
        try {
          return runOperation(items, target, operation);
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

/** Gives the answer of a batch or of a bulk request. */
export function answerOf(
  status: 200 | 207,
  results: readonly OperationResult[],
  withoutContent: boolean,
): BatchAnswer {
  return {
    status,
    charge: results.reduce((sum, result) => sum + result.charge, 0),
    results: results.map((result) => resultText(result, withoutContent && result.isRead !== true)),
  };
}
