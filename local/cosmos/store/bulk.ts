import { badRequest, CosmosError, partitionGone } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { fewerComponents, parsePartitionKeyHeader } from '../partitionKey.ts';
import { effectivePartitionKey } from '../effectivePartitionKey.ts';
import { partitionHolding } from '../physicalPartitions.ts';
import { answerOf, type BatchAnswer } from './batch.ts';
import { failed, innocent, type OperationResult, readOperations, runOperation } from './batchOperation.ts';
import type { Container } from './catalogue.ts';
import type { Items } from './items.ts';
import type { WriteQueue } from './writeQueue.ts';

/** Runs operations of one physical partition, each in a transaction of its own; 207 when one of them failed. */
export async function runBulk(
  queue: WriteQueue,
  items: Items,
  container: Container,
  rangeId: string | undefined,
  body: Json,
  { goesOn, withoutContent }: { goesOn: boolean; withoutContent: boolean },
): Promise<BatchAnswer> {
  const operations = readOperations(body);
  const keys = operations.map((operation) => keyOf(container, operation));
  // The client sorts operations by what it knows of the partitions; after a split it has to ask again.
  const isThere = (pk: string) =>
    partitionHolding(container.partitions, effectivePartitionKey(pk)).id === rangeId;
  if (rangeId !== undefined && !keys.every(isThere)) throw partitionGone();
  const run = (operation: JsonObject, index: number): Promise<OperationResult> =>
    queue
      .run(() => {
        const target = { container, lsn: queue.nextLsn(container), pk: keys[index] ?? '' };
        return runOperation(items, target, operation);
      })
      .catch((error: unknown) => {
        if (error instanceof CosmosError) return failed(error);
        throw error;
      });
  const results = goesOn ? await Promise.all(operations.map(run)) : await runUntilFailure(operations, run);
  return answerOf(results.some(({ status }) => status >= 400) ? 207 : 200, results, withoutContent);
}

async function runUntilFailure(
  operations: readonly JsonObject[],
  run: (operation: JsonObject, index: number) => Promise<OperationResult>,
): Promise<OperationResult[]> {
  const results: OperationResult[] = [];
  for (const [index, operation] of operations.entries()) {
    const hasFailed = results.some(({ status }) => status >= 400);
    results.push(hasFailed ? innocent : await run(operation, index));
  }
  return results;
}

function keyOf(container: Container, { partitionKey }: JsonObject): string {
  if (typeof partitionKey !== 'string')
    throw badRequest('A bulk operation needs its partitionKey as a JSON text.');
  const { pk, isPrefix } = parsePartitionKeyHeader(partitionKey, container.rules.partitionPaths.length);
  if (isPrefix) throw fewerComponents();
  return pk;
}
