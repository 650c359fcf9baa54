import type { JSONObject } from '@azure/cosmos';
import type { InvocationContext } from '@azure/functions';
import type { EventEnvelope } from '../../domain/envelope.ts';
import { deviceView, jobView, sessionView, type View } from '../../domain/views/index.ts';
import { isEvent, withoutStoreFields } from '../adapters/cosmosEventStore.ts';
import type { Checkpoint } from '../adapters/viewRows.ts';
import type { Services } from '../services.ts';

export const allViews: readonly View<unknown>[] = [
  sessionView,
  jobView,
  deviceView,
] as readonly View<unknown>[];

/** Rows of one write: a batch takes 100 operations, one of them the checkpoint. */
const eventsPerWrite = 80;

/** Folds a batch of the change feed into every view. Delivered twice or cut anywhere, it gives the same rows. */
export const projectViews =
  (services: Services, views: readonly View<unknown>[] = allViews) =>
  async (documents: unknown[], context: InvocationContext): Promise<void> => {
    for (const envelopes of byStream(documents).values()) {
      for (const view of views) {
        const [first] = envelopes;
        if (first !== undefined && view.concerns(first.streamId))
          await project(services, view, envelopes, context);
      }
    }
  };

export const byStream = (documents: readonly unknown[]): Map<string, EventEnvelope[]> => {
  const streams = new Map<string, EventEnvelope[]>();
  for (const document of documents as (EventEnvelope & JSONObject)[]) {
    if (!isEvent(document)) continue;
    const envelope = withoutStoreFields(document);
    const stream = streams.get(envelope.pk);
    if (stream === undefined) streams.set(envelope.pk, [envelope]);
    else stream.push(envelope);
  }
  for (const stream of streams.values()) stream.sort((a, b) => a.version - b.version);
  return streams;
};

const project = async (
  services: Services,
  view: View<unknown>,
  envelopes: readonly EventEnvelope[],
  context: InvocationContext,
): Promise<void> => {
  const [first] = envelopes;
  const last = envelopes.at(-1);
  if (first === undefined || last === undefined) return;
  const { tenantId, streamId } = first;
  for (;;) {
    const from = await services.views.checkpoint(view, tenantId, streamId);
    if (from.parked !== null || from.version >= last.version) return;
    const pending = await following(services, from.version, envelopes);
    if (pending.length === 0)
      throw new Error(`${streamId}: the events after version ${from.version} are not there yet.`);
    const written = await write(services, view, pending.slice(0, eventsPerWrite), from, context);
    if (written && (pending.at(-1)?.version ?? 0) >= last.version && pending.length <= eventsPerWrite) return;
  }
};

/** The events after `version`, from the batch where it has them all, otherwise from the store. */
const following = async (
  services: Services,
  version: number,
  envelopes: readonly EventEnvelope[],
): Promise<readonly EventEnvelope[]> => {
  const fresh = envelopes.filter((envelope) => envelope.version > version);
  const [first] = fresh;
  const complete = fresh.every((envelope, index) => envelope.version === version + 1 + index);
  if (first === undefined || complete) return fresh;
  return services.store.read(first.tenantId, first.streamId, version, eventsPerWrite);
};

const write = async (
  services: Services,
  view: View<unknown>,
  envelopes: readonly EventEnvelope[],
  from: Checkpoint,
  context: InvocationContext,
): Promise<boolean> => {
  const [first] = envelopes;
  if (first === undefined) return true;
  const { tenantId, streamId } = first;
  const rows = new Map<string, unknown>();
  let version = from.version;
  let parked: Checkpoint['parked'] = null;
  for (const envelope of envelopes) {
    const key = view.keyOf(envelope);
    if (key !== undefined) {
      const row = rows.has(key) ? rows.get(key) : await services.views.row(view, tenantId, streamId, key);
      try {
        rows.set(key, view.apply(row, envelope));
      } catch (error) {
        // Only what the view itself cannot handle: a fault of the store is thrown, and the batch comes again.
        parked = { version: envelope.version, error: error instanceof Error ? error.message : String(error) };
        break;
      }
    }
    version = envelope.version;
  }
  if (parked !== null) {
    // Only this stream waits for repair; the others go on.
    context.error(
      `${view.name}: ${streamId}@${parked.version} cannot be handled and is parked: ${parked.error}`,
    );
    await services.deadLetters.record(`${view.name}|${streamId}`, {
      kind: 'view',
      code: 'VIEW_PARKED',
      message: parked.error,
      tenantId,
      content: { view: view.name, streamId, version: parked.version },
      at: services.surroundings.now(),
    });
  }
  return services.views.write(view, tenantId, streamId, rows, from, { version, parked });
};
