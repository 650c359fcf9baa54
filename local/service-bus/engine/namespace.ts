import { BrokerError, entityNotFound, invalidArgument } from '../brokerError.ts';
import type { DeclaredQueue, SharedAccessRule } from '../config.ts';
import { defaultRule, type RuleDescription } from '../filters/rule.ts';
import type { Store } from '../store.ts';
import type { Deadlines } from './deadlines.ts';
import type { MessageState } from './model.ts';
import { type EntityKind, Queue, type QueueContext } from './queue.ts';
import { checkSettings, defaultSettings, type QueueSettings, settingsOf } from './settings.ts';

const deadLetterSuffix = '/$deadletterqueue';
const longestPath = 260;
const longestSubscriptionName = 50;
const maxSubscriptions = 2000;

/** The queues, topics and subscriptions of one namespace. Names are case-insensitive. */
export class Namespace {
  readonly name: string;
  readonly createdAt = Date.now();
  readonly #context: QueueContext;
  readonly #rules: readonly SharedAccessRule[];
  readonly #entities = new Map<string, Queue>();
  #nextQueueId: () => number;

  constructor(
    context: { readonly store: Store; readonly deadlines: Deadlines },
    name: string,
    rules: readonly SharedAccessRule[],
    nextQueueId: () => number,
  ) {
    this.name = name;
    this.#context = { ...context, find: (address) => this.find(address) };
    this.#rules = rules;
    this.#nextQueueId = nextQueueId;
    this.#load();
  }

  /** A queue, topic or subscription, or the dead-letter queue of one by its `/$DeadLetterQueue` suffix. */
  find(address: string): Queue | undefined {
    const key = keyOf(address);
    return key.endsWith(deadLetterSuffix)
      ? this.#entities.get(key.slice(0, -deadLetterSuffix.length))?.deadLetter
      : this.#entities.get(key);
  }

  /** Throws BrokerError when there is no such entity of that kind. */
  get(path: string, kind: EntityKind): Queue {
    const entity = this.#entities.get(keyOf(path));
    if (entity?.identity.kind !== kind) throw entityNotFound(path);
    return entity;
  }

  /** All queues or all topics, by name. */
  list(kind: 'queue' | 'topic'): Queue[] {
    return byPath([...this.#entities.values()].filter(({ identity }) => identity.kind === kind));
  }

  /** Throws BrokerError when the topic is missing. */
  subscriptionsOf(topic: string): Queue[] {
    return byPath([...this.get(topic, 'topic').subscriptions.values()]);
  }

  /** Rules that sit exactly at a path; the empty path is the namespace. */
  rulesAt(path: string): readonly SharedAccessRule[] {
    if (path === '') return this.#rules;
    return this.#entities.get(path)?.settings.rules ?? [];
  }

  declare(queues: readonly DeclaredQueue[]): void {
    for (const queue of queues) if (!this.find(queue.name)) this.create(queue.name, settingsOf(queue));
  }

  /** Throws BrokerError when the name is taken or a setting does not fit. */
  create(path: string, settings: QueueSettings, kind: 'queue' | 'topic' = 'queue'): Queue {
    checkPath(path);
    return this.#create(path, settings, kind);
  }

  /** Throws BrokerError when the topic is missing, the name is taken, or a setting or the rule does not fit. */
  createSubscription(
    topicPath: string,
    name: string,
    settings: QueueSettings,
    rule: RuleDescription = defaultRule,
  ): Queue {
    const topic = this.get(topicPath, 'topic');
    if (name.length > longestSubscriptionName || !/^[a-z0-9]([\w.-]*[a-z0-9])?$/i.test(name)) {
      throw invalidArgument(
        `'${name}' cannot be the name of a subscription: up to 50 letters, digits, . - _`,
      );
    }
    const key = name.toLowerCase();
    if (!topic.subscriptions.has(key) && topic.subscriptions.size >= maxSubscriptions) {
      throw new BrokerError(
        'amqp:resource-limit-exceeded',
        `The topic '${topicPath}' has ${maxSubscriptions} subscriptions, which is the most there can be.`,
      );
    }
    const path = `${topic.identity.path}/Subscriptions/${name}`;
    const subscription = this.#create(path, settings, 'subscription', (made) => made.rules?.add(rule));
    topic.subscriptions.set(key, subscription);
    return subscription;
  }

  /** Throws BrokerError when the entity is missing, or when a setting does not fit or is fixed at creation. */
  update(path: string, settings: QueueSettings): Queue {
    const entity = this.#existing(path);
    this.#check(path, settings);
    const { requiresSession, requiresDuplicateDetection } = entity.settings;
    if (settings.requiresSession !== requiresSession) {
      throw invalidArgument('RequiresSession cannot be changed after an entity is created.');
    }
    if (settings.requiresDuplicateDetection !== requiresDuplicateDetection) {
      throw invalidArgument('RequiresDuplicateDetection cannot be changed after an entity is created.');
    }
    entity.settings = settings;
    entity.identity.updatedAt = Date.now();
    this.#context.store.change(
      'UPDATE queue SET settings=?, updated_at=? WHERE id=?',
      JSON.stringify(settings),
      entity.identity.updatedAt,
      entity.identity.id,
    );
    this.#watchIdleness(entity);
    return entity;
  }

  /**
   * Deletes an entity with its messages, a topic with its subscriptions, and ends what is attached. Throws BrokerError
   * when it is missing.
   */
  remove(path: string): void {
    const entity = this.#existing(path);
    const key = keyOf(path);
    for (const subscription of [...entity.subscriptions.values()]) this.remove(subscription.identity.path);
    this.#entities.delete(key);
    const subscription = /^(.+)\/subscriptions\/([^/]+)$/.exec(key);
    if (subscription) this.find(subscription[1] ?? '')?.subscriptions.delete(subscription[2] ?? '');
    entity.discard();
    for (const sql of [
      'DELETE FROM message WHERE queue=?',
      'DELETE FROM seen WHERE queue=?',
      'DELETE FROM session WHERE queue=?',
      'DELETE FROM rule WHERE queue=?',
      'DELETE FROM queue WHERE id=?',
    ]) {
      this.#context.store.change(sql, entity.identity.id);
    }
  }

  #create(
    path: string,
    settings: QueueSettings,
    kind: EntityKind,
    complete?: (entity: Queue) => void,
  ): Queue {
    this.#check(path, settings);
    const key = keyOf(path);
    if (this.#entities.has(key)) {
      throw new BrokerError('com.microsoft:entity-already-exists', `The entity '${path}' already exists.`);
    }
    const now = Date.now();
    const identity = { id: this.#nextQueueId(), kind, path, createdAt: now, updatedAt: now };
    const entity = new Queue(this.#context, identity, settings, 1);
    complete?.(entity);
    this.#entities.set(key, entity);
    this.#context.store.change(
      'INSERT INTO queue VALUES(?,?,?,?,1,?,?,?,?)',
      identity.id,
      this.name,
      key,
      path,
      JSON.stringify(settings),
      now,
      now,
      kind,
    );
    this.#watchIdleness(entity);
    return entity;
  }

  #check(path: string, settings: QueueSettings): void {
    checkSettings(settings);
    for (const target of [settings.forwardTo, settings.forwardDeadLetteredTo]) {
      if (target === undefined) continue;
      if (keyOf(target) === keyOf(path)) throw invalidArgument(`'${path}' cannot forward to itself.`);
      const kind = this.find(target)?.identity.kind;
      if (kind !== 'queue' && kind !== 'topic') {
        throw invalidArgument(`'${path}' forwards to '${target}', which is no queue and no topic.`);
      }
    }
  }

  /** Deletes the entity once nothing was attached and nothing happened for as long as its settings say. */
  #watchIdleness(entity: Queue): void {
    const { autoDeleteOnIdleMs } = entity.settings;
    entity.idleness?.cancel();
    if (autoDeleteOnIdleMs === null) return;
    const idleAt = (entity.removalListeners.size > 0 ? Date.now() : entity.accessedAt) + autoDeleteOnIdleMs;
    entity.idleness = this.#context.deadlines.schedule(idleAt, () => {
      const isIdle =
        entity.removalListeners.size === 0 && entity.accessedAt + autoDeleteOnIdleMs <= Date.now();
      if (isIdle) this.remove(entity.identity.path);
      else this.#watchIdleness(entity);
    });
  }

  #existing(path: string): Queue {
    const entity = this.#entities.get(keyOf(path));
    if (!entity) throw entityNotFound(path);
    return entity;
  }

  #load(): void {
    const { store } = this.#context;
    for (const row of store.rows('SELECT * FROM queue WHERE namespace=? ORDER BY id', this.name)) {
      const identity = {
        id: Number(row.id),
        kind: String(row.kind) as EntityKind,
        path: String(row.path),
        createdAt: Number(row.created_at),
        updatedAt: Number(row.updated_at),
      };
      const settings = {
        ...defaultSettings,
        ...(JSON.parse(String(row.settings)) as Partial<QueueSettings>),
      };
      const entity = new Queue(this.#context, identity, settings, Number(row.next_sequence));
      this.#entities.set(String(row.key), entity);
      const subscription = /^(.+)\/subscriptions\/([^/]+)$/.exec(String(row.key));
      if (identity.kind === 'subscription' && subscription) {
        this.find(subscription[1] ?? '')?.subscriptions.set(subscription[2] ?? '', entity);
      }
    }
    // Topics and forwarding queues pass their messages on at once, so all their targets must be there first.
    for (const entity of this.#entities.values()) this.#loadRules(entity);
    for (const entity of this.#entities.values()) {
      this.#loadMessages(entity);
      this.#watchIdleness(entity);
    }
  }

  #loadRules(entity: Queue): void {
    for (const rule of this.#context.store.rows('SELECT * FROM rule WHERE queue=?', entity.identity.id)) {
      entity.rules?.restore(rule.description as Uint8Array, Number(rule.created_at));
    }
  }

  #loadMessages(entity: Queue): void {
    const { store } = this.#context;
    const { id } = entity.identity;
    for (const seen of store.rows('SELECT * FROM seen WHERE queue=? ORDER BY expires_at', id)) {
      entity.duplicates.restore(String(seen.message_id), Number(seen.expires_at));
    }
    for (const session of store.rows('SELECT * FROM session WHERE queue=?', id)) {
      const state = Buffer.from(session.state as Uint8Array);
      entity.sessions?.setState(String(session.id), state, Number(session.updated_at));
    }
    for (const message of store.rows('SELECT * FROM message WHERE queue=? ORDER BY sequence', id)) {
      const target = message.dead === 1 ? entity.deadLetter : entity;
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

/** Lower case, without slashes at the ends. */
export const keyOf = (address: string): string => address.replace(/^\/+|\/+$/g, '').toLowerCase();

const byPath = (entities: Queue[]): Queue[] =>
  entities.sort((a, b) => (keyOf(a.identity.path) < keyOf(b.identity.path) ? -1 : 1));

function checkPath(path: string): void {
  if (path.length > longestPath || !/^[a-z0-9]([\w./-]*[a-z0-9])?$/i.test(path)) {
    throw invalidArgument(
      `'${path}' cannot be the name of a queue or topic: up to ${longestPath} letters, digits, periods, hyphens, ` +
        'underscores and slashes, beginning and ending with a letter or digit.',
    );
  }
  if (/\/(subscriptions|rules)\//i.test(`${path}/`)) {
    throw invalidArgument(
      `'${path}' cannot be the name of a queue or topic: it reads like a subscription of one.`,
    );
  }
}
