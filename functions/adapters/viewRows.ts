import type { Container, JSONObject, OperationInput } from '@azure/cosmos';
import type { View } from '../../domain/views/index.ts';

interface RowItem<Row> {
  readonly id: string;
  readonly pk: string;
  readonly kind: 'row';
  readonly sort: string;
  readonly row: Row;
}

/** How far a view has followed one stream; `parked` when it met an event that it cannot handle. */
export interface Checkpoint {
  readonly version: number;
  readonly parked: { readonly version: number; readonly error: string } | null;
  readonly etag: string | null;
}

interface CheckpointItem {
  readonly id: string;
  readonly pk: string;
  readonly kind: 'checkpoint';
  readonly version: number;
  readonly parked: Checkpoint['parked'];
}

const checkpointId = (streamId: string): string => `checkpoint|${streamId}`;

/** Rows of views. A stream's rows and its checkpoint lie in one partition and change together. */
export class ViewRows {
  readonly #container: Container;

  constructor(container: Container) {
    this.#container = container;
  }

  async checkpoint(view: View<unknown>, tenantId: string, streamId: string): Promise<Checkpoint> {
    const pk = view.partition(tenantId, streamId);
    const { resource, etag } = await this.#container.item(checkpointId(streamId), pk).read<CheckpointItem>();
    return resource === undefined
      ? { version: 0, parked: null, etag: null }
      : { version: resource.version, parked: resource.parked, etag };
  }

  async row<Row>(view: View<Row>, tenantId: string, streamId: string, key: string): Promise<Row | undefined> {
    const { resource } = await this.#container
      .item(key, view.partition(tenantId, streamId))
      .read<RowItem<Row>>();
    return resource?.row;
  }

  /** False when another instance moved the checkpoint meanwhile: nothing was written. */
  async write<Row>(
    view: View<Row>,
    tenantId: string,
    streamId: string,
    rows: ReadonlyMap<string, Row>,
    from: Checkpoint,
    to: Omit<Checkpoint, 'etag'>,
  ): Promise<boolean> {
    const pk = view.partition(tenantId, streamId);
    const checkpoint: CheckpointItem = { id: checkpointId(streamId), pk, kind: 'checkpoint', ...to };
    const operations: OperationInput[] = [...rows].map(([id, row]) => ({
      operationType: 'Upsert',
      resourceBody: { id, pk, kind: 'row', sort: view.sortKey(row), row } as unknown as JSONObject,
    }));
    const body = checkpoint as unknown as JSONObject;
    operations.push(
      from.etag === null
        ? { operationType: 'Create', resourceBody: body }
        : { operationType: 'Replace', id: checkpoint.id, ifMatch: from.etag, resourceBody: body },
    );
    const { result } = await this.#container.items.batch(operations, pk);
    const failed = result?.find(({ statusCode }) => statusCode >= 400 && statusCode !== 424);
    if (failed?.statusCode === 409 || failed?.statusCode === 412) return false;
    if (result === undefined || failed !== undefined)
      throw new Error(`${view.name} ${streamId}: batch status ${failed?.statusCode}`);
    return true;
  }

  /** Rows of one partition, newest first by sort key, below `before`. */
  async list<Row>(
    view: View<Row>,
    tenantId: string,
    streamId: string,
    page: { readonly before: string | null; readonly limit: number },
  ): Promise<{ readonly rows: readonly Row[]; readonly next: string | null }> {
    const { resources } = await this.#container.items
      .query<RowItem<Row>>(
        {
          query: 'SELECT TOP @limit * FROM c WHERE c.kind = @kind AND c.sort < @before ORDER BY c.sort DESC',
          parameters: [
            { name: '@limit', value: page.limit },
            { name: '@kind', value: 'row' },
            { name: '@before', value: page.before ?? '\uffff' },
          ],
        },
        { partitionKey: view.partition(tenantId, streamId), maxItemCount: page.limit },
      )
      .fetchAll();
    const last = resources.at(-1);
    return {
      rows: resources.map(({ row }) => row),
      next: last !== undefined && resources.length === page.limit ? last.sort : null,
    };
  }
}
