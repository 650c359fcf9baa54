import { BrokerError, entityNotFound, invalidArgument } from '../brokerError.ts';
import type { DeclaredQueue, SharedAccessRule } from '../config.ts';
import type { MessageState } from './model.ts';
import { Queue, type QueueContext } from './queue.ts';
import { checkSettings, defaultSettings, type QueueSettings, settingsOf } from './settings.ts';

const deadLetterSuffix = '/$deadletterqueue';
const longestPath = 260;

/** The queues of one namespace. Names are case-insensitive. */
export class Namespace {
  readonly name: string;
  readonly #context: QueueContext;
  readonly #rules: readonly SharedAccessRule[];
  readonly #queues = new Map<string, Queue>();
  #nextQueueId: () => number;

  constructor(
    context: QueueContext,
    name: string,
    rules: readonly SharedAccessRule[],
    nextQueueId: () => number,
  ) {
    this.name = name;
    this.#context = context;
    this.#rules = rules;
    this.#nextQueueId = nextQueueId;
    this.#load();
  }

  /** A queue, or the dead-letter queue of one by its `/$DeadLetterQueue` suffix. */
  find(address: string): Queue | undefined {
    const key = keyOf(address);
    return key.endsWith(deadLetterSuffix)
      ? this.#queues.get(key.slice(0, -deadLetterSuffix.length))?.deadLetter
      : this.#queues.get(key);
  }

  /** Rules that sit exactly at a path; the empty path is the namespace. */
  rulesAt(path: string): readonly SharedAccessRule[] {
    if (path === '') return this.#rules;
    return this.#queues.get(path)?.settings.rules ?? [];
  }

  declare(queues: readonly DeclaredQueue[]): void {
    for (const queue of queues) if (!this.find(queue.name)) this.create(queue.name, settingsOf(queue));
  }

  /** Throws BrokerError when the name is taken or a setting does not fit. */
  create(path: string, settings: QueueSettings): Queue {
    checkPath(path);
    checkSettings(settings);
    const key = keyOf(path);
    if (this.#queues.has(key)) {
      throw new BrokerError('com.microsoft:entity-already-exists', `The queue '${path}' already exists.`);
    }
    const now = Date.now();
    const identity = { id: this.#nextQueueId(), path, createdAt: now, updatedAt: now };
    const queue = new Queue(this.#context, identity, settings, 1);
    this.#queues.set(key, queue);
    this.#context.store.change(
      'INSERT INTO queue VALUES(?,?,?,?,1,?,?,?)',
      identity.id,
      this.name,
      key,
      path,
      JSON.stringify(settings),
      now,
      now,
    );
    return queue;
  }

  /** Throws BrokerError when the queue is missing, or when a setting does not fit or is fixed at creation. */
  update(path: string, settings: QueueSettings): Queue {
    const queue = this.#existing(path);
    checkSettings(settings);
    const { requiresSession, requiresDuplicateDetection } = queue.settings;
    if (settings.requiresSession !== requiresSession) {
      throw invalidArgument('RequiresSession cannot be changed after a queue is created.');
    }
    if (settings.requiresDuplicateDetection !== requiresDuplicateDetection) {
      throw invalidArgument('RequiresDuplicateDetection cannot be changed after a queue is created.');
    }
    queue.settings = settings;
    queue.identity.updatedAt = Date.now();
    this.#context.store.change(
      'UPDATE queue SET settings=?, updated_at=? WHERE id=?',
      JSON.stringify(settings),
      queue.identity.updatedAt,
      queue.identity.id,
    );
    return queue;
  }

  /** Deletes a queue with its messages and ends what is attached. Throws BrokerError when it is missing. */
  remove(path: string): void {
    const queue = this.#existing(path);
    this.#queues.delete(keyOf(path));
    queue.discard();
    for (const sql of [
      'DELETE FROM message WHERE queue=?',
      'DELETE FROM seen WHERE queue=?',
      'DELETE FROM session WHERE queue=?',
      'DELETE FROM queue WHERE id=?',
    ]) {
      this.#context.store.change(sql, queue.identity.id);
    }
  }

  #existing(path: string): Queue {
    const queue = this.#queues.get(keyOf(path));
    if (!queue) throw entityNotFound(path);
    return queue;
  }

  #load(): void {
    const { store } = this.#context;
    for (const row of store.rows('SELECT * FROM queue WHERE namespace=?', this.name)) {
      const identity = {
        id: Number(row.id),
        path: String(row.path),
        createdAt: Number(row.created_at),
        updatedAt: Number(row.updated_at),
      };
      const settings = {
        ...defaultSettings,
        ...(JSON.parse(String(row.settings)) as Partial<QueueSettings>),
      };
      const queue = new Queue(this.#context, identity, settings, Number(row.next_sequence));
      this.#queues.set(String(row.key), queue);
      for (const seen of store.rows('SELECT * FROM seen WHERE queue=? ORDER BY expires_at', identity.id)) {
        queue.duplicates.restore(String(seen.message_id), Number(seen.expires_at));
      }
      for (const { id, state, updated_at } of store.rows(
        'SELECT * FROM session WHERE queue=?',
        identity.id,
      )) {
        queue.sessions?.setState(String(id), Buffer.from(state as Uint8Array), Number(updated_at));
      }
      for (const message of store.rows(
        'SELECT * FROM message WHERE queue=? ORDER BY sequence',
        identity.id,
      )) {
        const target = message.dead === 1 ? queue.deadLetter : queue;
        target?.restore({
          sequence: Number(message.sequence),
          ...(message.first_sequence === null ? {} : { firstSequence: Number(message.first_sequence) }),
          state: Number(message.state) as MessageState,
          enqueuedAt: Number(message.enqueued_at),
          expiresAt: message.expires_at === null ? Number.POSITIVE_INFINITY : Number(message.expires_at),
          deliveryCount: Number(message.delivery_count),
          encoded: Buffer.from(message.encoded as Uint8Array),
        });
      }
    }
  }
}

/** Lower case, without slashes at the ends. */
export const keyOf = (address: string): string => address.replace(/^\/+|\/+$/g, '').toLowerCase();

function checkPath(path: string): void {
  if (path.length > longestPath || !/^[a-z0-9]([\w./-]*[a-z0-9])?$/i.test(path)) {
    throw invalidArgument(
      `'${path}' cannot be the name of a queue: up to ${longestPath} letters, digits, periods, hyphens, underscores ` +
        'and slashes, beginning and ending with a letter or digit.',
    );
  }
}
