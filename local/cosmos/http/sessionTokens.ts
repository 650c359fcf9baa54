import { effectivePartitionKey } from '../effectivePartitionKey.ts';
import { partitionHolding } from '../physicalPartitions.ts';
import type { Container } from '../store/catalogue.ts';
import { type CosmosRequest, header } from './exchange.ts';
import { givenKey } from './itemRequest.ts';

/** One session token per physical partition that the request concerns. */
export function sessionHeaders(container: Container, request: CosmosRequest): Record<string, string> {
  const key = givenKey(container, request);
  const range = header(request, 'x-ms-documentdb-partitionkeyrangeid')?.split(',').at(-1);
  const ids =
    key !== undefined && !key.isPrefix
      ? [partitionHolding(container.partitions, effectivePartitionKey(key.pk)).id]
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

/** The transactions that the sender of a request has seen. */
export function seenLsns(request: CosmosRequest): number[] {
  return [...(header(request, 'x-ms-session-token') ?? '').matchAll(/#(\d+)/g)].map(([, lsn]) => Number(lsn));
}
