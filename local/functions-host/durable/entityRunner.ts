import { FunctionFailed, FunctionTimedOut } from '../invocationErrors.ts';
import { describe } from '../log.ts';
import type { RegisteredFunction } from '../protocol.ts';
import type { EngineContext } from './engineContext.ts';
import type { EntityRequest } from './entityMessages.ts';
import { entityEvent, entityInstanceId, OPERATION, parseEntityId, RELEASE } from './entityMessages.ts';
import { EventType, isTerminal } from './history.ts';
import type { StepOutput } from './orchestrationRunner.ts';
import type { Entity, OutgoingMessage } from './store.ts';

/** What the entity function answers to a batch; the library's names. */
interface BatchResult {
  entityExists: boolean;
  entityState?: string;
  results: { isError: boolean; result?: string }[];
  signals: { target: { name: string; key: string }; name: string; input: string }[];
}

interface Waiting {
  n: number;
  kind: string;
  request: EntityRequest;
}

/** Runs operations of entities in order, in batches, each one transaction, and keeps their locks. */
export class EntityRunner {
  readonly #context: EngineContext;

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** Takes what is due for the entity up to one batch of operations; the rest waits for the next run. */
  async run(id: string): Promise<StepOutput | undefined> {
    const { store } = this.#context;
    const waiting: Waiting[] = store.dueMessages(id, Date.now()).map(({ n, event }) => ({
      n,
      kind: event.Name ?? '',
      request: JSON.parse(event.Input ?? '{}') as EntityRequest,
    }));
    const found = store.entity(id);
    const entity: Entity = found ?? {
      id,
      state: null,
      exists: false,
      lockedBy: null,
      lastOperation: new Date().toISOString(),
    };
    const messages: OutgoingMessage[] = [];
    const consumed: number[] = [];
    const batch = this.#take(entity, waiting, consumed, messages);
    if (consumed.length === 0) return undefined;
    const next = batch.length === 0 ? entity : await this.#runBatch(entity, batch, messages);
    if (this.#context.isClosed()) return undefined;
    // Purged while the batch ran: what was read before must not bring its lock back.
    if (next.lockedBy !== null && store.instance(next.lockedBy) === undefined) next.lockedBy = null;
    store.commitEntity(next, consumed, messages);
    const wakes = messages.map(({ to, dueMs }) => ({ id: to, dueMs }));
    if (consumed.length < waiting.length) wakes.push({ id, dueMs: 0 });
    return { activities: [], wakes };
  }

  /**
   * Takes messages in order until a batch is full or a lock must wait for it. While locked, only messages of the lock's
   * owner are taken, ahead of what came before them.
   */
  #take(
    entity: Entity,
    waiting: readonly Waiting[],
    consumed: number[],
    messages: OutgoingMessage[],
  ): EntityRequest[] {
    const batch: EntityRequest[] = [];
    const left = [...waiting];
    const next = () =>
      left.findIndex(({ request }) => entity.lockedBy === null || request.parent === entity.lockedBy);
    for (let at = next(); at >= 0 && batch.length < this.#context.maxEntityBatch; at = next()) {
      const candidate = left[at];
      if (candidate === undefined) break;
      const { n, kind, request } = candidate;
      const changesLock = kind === RELEASE || request.lockset !== undefined;
      // Operations before a change of the lock belong to the time before it.
      if (changesLock && batch.length > 0) break;
      left.splice(at, 1);
      consumed.push(n);
      if (kind === RELEASE) {
        if (entity.lockedBy === request.parent) entity.lockedBy = null;
      } else if (request.lockset !== undefined) this.#lock(entity, request, messages);
      else batch.push(request);
    }
    return batch;
  }

  /** Locks the entity and asks the next one of the set, or tells the orchestration that it has them all. */
  #lock(entity: Entity, request: EntityRequest, messages: OutgoingMessage[]): void {
    const { parent = '', lockset = [], pos = 0 } = request;
    const owner = this.#context.store.instance(parent);
    // Nobody would ever release a lock for an orchestration that has ended while it waited.
    if (owner === undefined || owner.executionId !== request.parentExecution || isTerminal(owner.status))
      return;
    entity.lockedBy = parent;
    const next = lockset[pos + 1];
    if (next === undefined) messages.push(answer(request, null));
    else messages.push(toEntity(next, { ...request, pos: pos + 1 }));
  }

  async #runBatch(
    entity: Entity,
    batch: readonly EntityRequest[],
    messages: OutgoingMessage[],
  ): Promise<Entity> {
    const { name, key } = parseEntityId(entity.id);
    const fn = this.#context.functions.find('entity', name);
    const outcome =
      fn === undefined
        ? `The entity function '${name}' does not exist.`
        : await this.#invoke(fn, { name, key }, entity, batch);
    const lastOperation = new Date().toISOString();
    if (typeof outcome === 'string') {
      for (const request of batch) reply(messages, request, JSON.stringify(outcome), true);
      return { ...entity, lastOperation };
    }
    for (const [index, request] of batch.entries()) {
      const result = outcome.results[index];
      reply(messages, request, result?.result ?? null, result?.isError === true);
    }
    for (const { target, name: op, input } of outcome.signals) {
      const id = `${batch[0]?.id ?? ''}/${messages.length}`;
      messages.push(toEntity(target, { id, op, signal: true, ...(input !== '' && { input }) }));
    }
    const exists = outcome.entityExists;
    return { ...entity, exists, state: exists ? (outcome.entityState ?? null) : null, lastOperation };
  }

  /** The function's answer, or why there is none. */
  async #invoke(
    fn: RegisteredFunction,
    self: { name: string; key: string },
    entity: Entity,
    batch: readonly EntityRequest[],
  ): Promise<BatchResult | string> {
    this.#context.counters.entityBatches += 1;
    const value = {
      self,
      exists: entity.exists,
      state: entity.state,
      batch: batch.map(({ op, input, signal }) => ({
        name: op ?? '',
        input: input ?? null,
        isSignal: signal === true,
      })),
    };
    try {
      const { returnValue } = await this.#context.invoke(fn, {
        inputData: [{ name: fn.trigger.name, data: { string: JSON.stringify(value) } }],
      });
      return JSON.parse(returnValue?.json ?? returnValue?.string ?? 'null') as BatchResult;
    } catch (error) {
      if (!(error instanceof FunctionFailed || error instanceof FunctionTimedOut)) throw error;
      this.#context.log.error('durable', `entity ${entity.id}: ${describe(error)}`);
      return describe(error);
    }
  }
}

/** Answers a call; a signal gets none. */
function reply(
  messages: OutgoingMessage[],
  request: EntityRequest,
  result: string | null,
  isError: boolean,
): void {
  if (request.signal !== true) messages.push(answer(request, result, isError));
}

const answer = (
  { id, parent = '', parentExecution }: EntityRequest,
  result: string | null,
  isError = false,
): OutgoingMessage => ({
  to: parent,
  executionId: parentExecution ?? null,
  dueMs: Date.now(),
  event: {
    EventType: EventType.EventRaised,
    Name: id,
    Input: JSON.stringify({ result, ...(isError && { exceptionType: 'Error' }) }),
  },
});

const toEntity = ({ name, key }: { name: string; key: string }, request: EntityRequest): OutgoingMessage => ({
  to: entityInstanceId(name, key),
  executionId: null,
  dueMs: Date.now(),
  event: entityEvent(OPERATION, request),
});
