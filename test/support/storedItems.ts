import { CosmosClient, type SqlQuerySpec } from '@azure/cosmos';
import { inject } from 'vitest';
import type { EventEnvelope } from '../../domain/envelope.ts';

/** Looks into the store itself, past the API. */
const storedItems = async <Item>(
  container: string,
  partitionKey: string,
  query: SqlQuerySpec,
): Promise<readonly Item[]> => {
  const { endpoint, masterKey } = inject('cloud').cosmos;
  const client = new CosmosClient({ endpoint, key: masterKey });
  try {
    const { resources } = await client
      .database('live-response')
      .container(container)
      .items.query<Item>(query, { partitionKey })
      .fetchAll();
    return resources;
  } finally {
    client.dispose();
  }
};

export interface StoredDeadLetter {
  readonly code: string;
  readonly tenantId: string | null;
  /** What was refused, as JSON text. */
  readonly content: string;
}

/** Refused device messages that contain `part`. */
export const deadLettersWith = (part: string): Promise<readonly StoredDeadLetter[]> =>
  storedItems('deadletters', 'device-message', {
    query: 'SELECT * FROM c WHERE CONTAINS(c.content, @part)',
    parameters: [{ name: '@part', value: part }],
  });

/** All events of a stream that no address of the API shows, in order, without what the store adds to each. */
export const storedEvents = async (tenantId: string, streamId: string): Promise<readonly EventEnvelope[]> => {
  const items = await storedItems<EventEnvelope & Readonly<Record<string, unknown>>>(
    'events',
    `${tenantId}|${streamId}`,
    { query: 'SELECT * FROM c WHERE c.version > 0 ORDER BY c.version' },
  );
  return items
    .filter(({ id }) => id !== 'head')
    .map(
      (item) =>
        Object.fromEntries(
          Object.entries(item).filter(([name]) => !name.startsWith('_')),
        ) as unknown as EventEnvelope,
    );
};
