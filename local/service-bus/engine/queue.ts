import { randomBytes } from 'node:crypto';
import { type Typed, types } from '../amqp/rhea.ts';
import {
  BrokerError,
  entityDisabled,
  entityNotFound,
  invalidArgument,
  lockLost,
  messageNotFound,
  notAllowed,
} from '../brokerError.ts';
import {
  encodeMessage,
  entryOf,
  filteredMessage,
  type ParsedMessage,
  parseMessage,
  withApplicationProperties,
  withChanges,
  withEntry,
} from '../codec/message.ts';
import { EvaluationError } from '../filters/evaluate.ts';
import type { FilteredMessage } from '../filters/message.ts';
import type { Store } from '../store.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import type { DispatchedQueue, Dispatcher } from './dispatcher.ts';
import { Duplicates } from './duplicates.ts';
import {
  type Consumer,
  type HandedMessage,
  type MessageState,
  messageState,
  type QueueMessage,
  type Session,
} from './model.ts';
import { PassingDispatcher } from './passingDispatcher.ts';
import { PlainDispatcher } from './plainDispatcher.ts';
import type { ReadyList } from './readyList.ts';
import { Rules } from './rules.ts';
import { SessionDispatcher } from './sessionDispatcher.ts';
import type { QueueSettings } from './settings.ts';

export interface QueueContext {
  readonly store: Store;
  readonly deadlines: Deadlines;
  /** Where messages are forwarded to. */
  readonly find: (address: string) => Queue | undefined;
}

export type EntityKind = 'queue' | 'topic' | 'subscription';

export interface QueueIdentity {
  /** Row id, never reused. */
  readonly id: number;
  readonly kind: EntityKind;
  /** As the creator spelled it. */
  readonly path: string;
  readonly createdAt: number;
  updatedAt: number;
}

/** How a receiver disposes of a locked message. */
export type Disposition =
  | { readonly kind: 'complete' }
  | { readonly kind: 'abandon' | 'defer'; readonly properties?: Readonly<Record<string, unknown>> }
  | {
      readonly kind: 'dead-letter';
      readonly reason?: string;
      readonly description?: string;
      readonly properties?: Readonly<Record<string, unknown>>;
    };

export interface QueueCounts {
  readonly active: number;
  readonly deadLettered: number;
  readonly scheduled: number;
  readonly total: number;
  readonly bytes: number;
}

/** How messages are taken in otherwise than from a sender. */
export interface Enqueueing {
  readonly firstSequence?: number;
  readonly hops?: number;
  /** A fault: keeps them from receivers for so long; later ones overtake them. A restart ends it. */
  readonly hideForMs?: number;
  /** A fault: ends the hiding as soon as the next message is there. */
  readonly untilNext?: boolean;
  /** A fault: duplicate detection looks away. */
  readonly evenIfRepeated?: boolean;
}

/** Told when the queue is deleted, to end what is attached to it. */
export type RemovalListener = (reason: BrokerError) => void;

export interface MessageRow {
  readonly sequence: number;
  readonly firstSequence?: number;
  readonly state: MessageState;
  readonly enqueuedAt: number;
  readonly expiresAt: number;
  readonly deliveryCount: number;
  readonly encoded: Buffer;
}

const reservedBlock = 10_000;
const longestForwarding = 4;
const largestUint = 0xffff_ffff;

/**
 * A queue, a subscription, or with `isDeadLetter` the dead-letter queue of one; and a topic, which is a queue that passes
 * everything on to its subscriptions.
 */
export class Queue implements DispatchedQueue {
  readonly identity: QueueIdentity;
  readonly isDeadLetter: boolean;
  readonly removalListeners = new Set<RemovalListener>();
  /** The queue's own dead-letter queue; a dead-letter queue has none. */
  readonly deadLetter: Queue | undefined;
  /** Present when the queue requires sessions. */
  readonly sessions: SessionDispatcher | undefined;
  readonly duplicates: Duplicates;
  /** A topic's subscriptions by their names in lower case. */
  readonly subscriptions = new Map<string, Queue>();
  /** Present in a subscription. */
  readonly rules: Rules | undefined;
  accessedAt = Date.now();
  /** Deletes the entity when it has been idle for long; its namespace's business. */
  idleness: Deadline | undefined;
  #settings: QueueSettings;
  readonly #store: Store;
  readonly #deadlines: Deadlines;
  readonly #find: QueueContext['find'];
  #dispatcher: Dispatcher;
  readonly #messages = new Map<number, QueueMessage>();
  readonly #locked = new Map<string, QueueMessage>();
  readonly #awaitingNext = new Set<() => void>();
  #nextSequence: number;
  #reservedTo: number;
  #removed = false;

  constructor(
    context: QueueContext,
    identity: QueueIdentity,
    settings: QueueSettings,
    nextSequence: number,
    isDeadLetter = false,
  ) {
    this.identity = identity;
    this.isDeadLetter = isDeadLetter;
    this.#store = context.store;
    this.#deadlines = context.deadlines;
    this.#find = context.find;
    this.#settings = settings;
    this.#nextSequence = nextSequence;
    this.#reservedTo = nextSequence;
    this.duplicates = new Duplicates(identity.id, this.#store, this.#deadlines);
    if (settings.requiresSession && !isDeadLetter) {
      this.sessions = new SessionDispatcher(this, this.#deadlines);
    }
    this.#dispatcher = this.#chooseDispatcher();
    if (identity.kind === 'topic' || isDeadLetter) return;
    this.deadLetter = new Queue(context, identity, settings, 1, true);
    if (identity.kind === 'subscription') this.rules = new Rules(identity.id, identity.path, this.#store);
  }

  /** Path of the entity that gets what would be handed to receivers. */
  get forwardsTo(): string | undefined {
    return this.isDeadLetter ? this.#settings.forwardDeadLetteredTo : this.#settings.forwardTo;
  }

  get address(): string {
    return this.isDeadLetter ? `${this.identity.path}/$DeadLetterQueue` : this.identity.path;
  }

  get settings(): QueueSettings {
    return this.#settings;
  }

  set settings(settings: QueueSettings) {
    const before = this.forwardsTo;
    this.#settings = settings;
    if (this.deadLetter) this.deadLetter.settings = settings;
    if (before !== this.forwardsTo) this.#redirect();
  }

  get lockDurationMs(): number {
    return this.#settings.lockDurationMs;
  }

  /**
   * Takes all the messages or, by a BrokerError, none. They become visible to receivers once they are on disk; the
   * caller acknowledges through `Store.afterCommit`, too.
   * @returns their sequence numbers. A repeated message is given one without being stored.
   */
  enqueue(messages: readonly ParsedMessage[], how: Enqueueing = {}): number[] {
    if (this.#removed) throw entityNotFound(this.address);
    if (this.#settings.status === 'Disabled' || this.#settings.status === 'SendDisabled') {
      throw entityDisabled(this.address);
    }
    for (const message of messages) this.#check(message);
    this.accessedAt = Date.now();
    return messages.map((message) => {
      const { requiresDuplicateDetection, duplicateWindowMs } = this.#settings;
      const isRepeated =
        requiresDuplicateDetection && this.duplicates.isRepeated(message.messageId, duplicateWindowMs);
      const stored = this.#newMessage(message, how);
      if (isRepeated && !how.evenIfRepeated) return stored.sequence;
      this.#insert(stored);
      this.#store.afterCommit(() => this.#show(stored, how));
      return stored.sequence;
    });
  }

  /** Throws BrokerError when nobody may receive here. */
  checkReceivable(): void {
    if (this.identity.kind === 'topic') {
      throw notAllowed(
        `Nobody can receive from the topic '${this.address}'. Receive from a subscription of it.`,
      );
    }
    if (this.forwardsTo !== undefined) {
      throw notAllowed(
        `Cannot create a message receiver on an entity with auto-forwarding enabled: '${this.address}'.`,
      );
    }
    const { status } = this.#settings;
    if (status === 'Disabled' || status === 'ReceiveDisabled') throw entityDisabled(this.address);
  }

  #chooseDispatcher(): Dispatcher {
    if (this.identity.kind === 'topic')
      return new PassingDispatcher(this, (message) => this.#publish(message));
    if (this.forwardsTo !== undefined)
      return new PassingDispatcher(this, (message) => this.#forward(message));
    return this.sessions ?? new PlainDispatcher(this);
  }

  /** Forwarding began or ended: the messages that wait go where they now belong. */
  #redirect(): void {
    this.#endAttached(notAllowed(`The forwarding of '${this.address}' was changed. Attach again.`));
    this.#dispatcher = this.#chooseDispatcher();
    for (const message of [...this.#inOrder()]) {
      if (!message.lock && message.state === messageState.active) this.#dispatcher.add(message);
    }
  }

  #publish(message: QueueMessage): void {
    const parsed = reparsed(message);
    const filtered = filteredMessage(message.bare);
    for (const subscription of this.subscriptions.values()) {
      subscription.#takeFromTopic(parsed, filtered, message.firstSequence ?? message.sequence);
    }
    this.#remove(message);
  }

  #takeFromTopic(message: ParsedMessage, filtered: FilteredMessage, firstSequence: number): void {
    try {
      for (const changes of this.rules?.copiesOf(filtered) ?? []) {
        const bare = changes ? withChanges(message.bare, changes) : message.bare;
        const sessionId = changes?.system.get('SessionId') ?? message.sessionId;
        this.enqueue(
          [{ ...message, bare, ...(sessionId === undefined ? {} : { sessionId: String(sessionId) }) }],
          {
            firstSequence,
          },
        );
      }
    } catch (error) {
      const isFilterError = error instanceof EvaluationError;
      if (!isFilterError && !(error instanceof BrokerError)) throw error;
      if (isFilterError && !this.#settings.deadLetteringOnFilterErrors) return;
      const reason = isFilterError ? 'FilterEvaluationException' : error.condition;
      this.#moveToDeadLetter(this.#newMessage(message, { firstSequence }), reason, error.message);
    }
  }

  #forward(message: QueueMessage): void {
    const hops = (message.hops ?? 0) + 1;
    const path = this.forwardsTo ?? '';
    try {
      const target = this.#find(path);
      if (!target) throw entityNotFound(path);
      if (hops > longestForwarding) {
        throw new BrokerError(
          'MaxTransferHopCountExceeded',
          `A message is forwarded at most ${longestForwarding} times.`,
        );
      }
      target.enqueue([reparsed(message)], { firstSequence: message.firstSequence ?? message.sequence, hops });
      this.#remove(message);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      // What a dead-letter queue cannot forward stays in it.
      if (this.deadLetter) this.#moveToDeadLetter(message, error.condition, error.message);
    }
  }

  #show(message: QueueMessage, { hideForMs, untilNext }: Enqueueing): void {
    if (hideForMs === undefined) {
      this.#add(message);
      for (const showHidden of [...this.#awaitingNext]) showHidden();
      return;
    }
    const show = () => {
      hidden.cancel();
      this.#awaitingNext.delete(show);
      this.#addAnew(message);
    };
    const hidden = this.#deadlines.schedule(Date.now() + hideForMs, show);
    if (untilNext) this.#awaitingNext.add(show);
  }

  /** Ends a lock before its time, as if it had run out. */
  loseLock(token: Buffer): void {
    const message = this.#locked.get(token.toString('hex'));
    if (message) this.giveBack(message, true);
  }

  /** Takes up a message that was on disk. */
  restore(row: MessageRow): void {
    const parsed = parseMessage(row.encoded);
    this.#add({
      sequence: row.sequence,
      ...(row.firstSequence === undefined ? {} : { firstSequence: row.firstSequence }),
      state: row.state,
      enqueuedAt: row.enqueuedAt,
      expiresAt: row.expiresAt,
      deliveryCount: row.deliveryCount,
      ...(parsed.sessionId === undefined ? {} : { sessionId: parsed.sessionId }),
      header: headerOf(parsed, parsed.ttl),
      annotations: parsed.annotations,
      bare: parsed.bare,
    });
  }

  /** Call whenever the consumer may have new capacity. */
  wants(consumer: Consumer): void {
    this.#dispatcher.wants(consumer);
  }

  /** Locks of plain messages live on, since the client may still settle through the management link. */
  leave(consumer: Consumer): void {
    this.#dispatcher.leave(consumer);
  }

  /** Throws BrokerError when the lock is gone. */
  settle(token: Buffer, disposition: Disposition): void {
    const message = this.#locked.get(token.toString('hex'));
    if (!message) throw lockLost();
    this.accessedAt = Date.now();
    switch (disposition.kind) {
      case 'complete':
        this.#remove(message);
        break;
      case 'abandon':
        this.#edit(message, disposition.properties);
        this.giveBack(message, true);
        break;
      case 'defer':
        message.state = messageState.deferred;
        this.#edit(message, disposition.properties);
        this.#insert(message);
        this.#unlock(message);
        this.#dispatcher.removed(message);
        break;
      case 'dead-letter':
        this.#moveToDeadLetter(message, disposition.reason, disposition.description, disposition.properties);
        break;
      default:
        disposition satisfies never;
    }
  }

  /** @returns the new end of the lock in ms since 1970. Throws BrokerError when the lock is gone. */
  renew(token: Buffer): number {
    const message = this.#locked.get(token.toString('hex'));
    const lock = message?.lock;
    if (!message || !lock) throw lockLost();
    if (lock.session) {
      throw invalidArgument('A message of a session has no lock of its own. Renew the lock of the session.');
    }
    this.#startLock(message, lock.token);
    return message.lock?.until ?? 0;
  }

  /**
   * Hands deferred messages out: all of them or, by a BrokerError, none.
   * @param session the session to which they belong, held by who asks.
   */
  receiveDeferred(sequences: readonly number[], deletes: boolean, session?: Session): HandedMessage[] {
    const messages = sequences.map((sequence) => {
      const message = this.#messages.get(sequence);
      if (message?.state !== messageState.deferred || message.lock) throw messageNotFound(sequence);
      if (this.sessions && message.sessionId !== session?.id) throw messageNotFound(sequence);
      return message;
    });
    const expired = messages.filter(({ expiresAt }) => expiresAt <= Date.now());
    for (const message of expired) this.#expire(message);
    if (expired[0]) throw messageNotFound(expired[0].sequence);
    this.accessedAt = Date.now();
    return messages.map((message) => {
      if (deletes) {
        this.#remove(message);
        return { encoded: this.#encodeForReceiver(message) };
      }
      const lockToken = randomBytes(16);
      this.#startLock(message, lockToken, session);
      return { encoded: this.#encodeForReceiver(message), lockToken };
    });
  }

  /** Cancels scheduled messages: all of them or, by a BrokerError, none. */
  cancelScheduled(sequences: readonly number[]): void {
    const messages = sequences.map((sequence) => {
      const message = this.#messages.get(sequence);
      if (message?.state !== messageState.scheduled) throw messageNotFound(sequence);
      return message;
    });
    this.accessedAt = Date.now();
    for (const message of messages) this.#remove(message);
  }

  /** Keeps bytes with a session, or none. */
  setSessionState(id: string, state: Buffer | undefined): void {
    const now = Date.now();
    if (state) {
      this.#store.change('INSERT OR REPLACE INTO session VALUES(?,?,?,?)', this.identity.id, id, state, now);
    } else this.#store.change('DELETE FROM session WHERE queue=? AND id=?', this.identity.id, id);
    this.sessions?.setState(id, state, now);
  }

  /** Encoded messages from a sequence number on, locked ones included. */
  peek(fromSequence: number, atMost: number, sessionId?: string): Buffer[] {
    const found: Buffer[] = [];
    for (const message of this.#inOrder()) {
      if (found.length >= atMost) break;
      if (message.sequence < fromSequence) continue;
      if (sessionId !== undefined && message.sessionId !== sessionId) continue;
      found.push(this.#encodeForReceiver(message));
    }
    return found;
  }

  counts(): QueueCounts {
    const dead = this.deadLetter?.counts();
    let bytes = dead?.bytes ?? 0;
    const inState: [active: number, deferred: number, scheduled: number] = [0, 0, 0];
    for (const { bare, state } of this.#messages.values()) {
      bytes += bare.length;
      inState[state] += 1;
    }
    const [active, , scheduled] = inState;
    const deadLettered = dead?.total ?? 0;
    return { active, scheduled, deadLettered, bytes, total: this.#messages.size + deadLettered };
  }

  /** Forgets everything in memory and ends what is attached; the rows are the caller's business. */
  discard(): void {
    this.#removed = true;
    this.idleness?.cancel();
    this.duplicates.stop();
    for (const message of [...this.#messages.values()]) this.#forget(message);
    this.#endAttached(entityNotFound(this.address));
    this.deadLetter?.discard();
  }

  #endAttached(reason: BrokerError): void {
    for (const listener of [...this.removalListeners]) listener(reason);
  }

  takeReady(list: ReadyList): QueueMessage | undefined {
    for (let sequence = list.take(); sequence !== undefined; sequence = list.take()) {
      const message = this.#messages.get(sequence);
      if (!message || message.lock || message.state !== messageState.active) continue;
      if (message.expiresAt > Date.now()) return message;
      this.#expire(message);
    }
    return undefined;
  }

  handOver(message: QueueMessage, consumer: Consumer, session?: Session): void {
    this.accessedAt = Date.now();
    if (consumer.deletesOnReceive) {
      const encoded = this.#encodeForReceiver(message);
      this.#remove(message);
      consumer.hand({ encoded });
      return;
    }
    const token = randomBytes(16);
    this.#startLock(message, token, session);
    consumer.hand({ encoded: this.#encodeForReceiver(message), lockToken: token });
  }

  giveBack(message: QueueMessage, counted: boolean): void {
    this.#unlock(message);
    if (!this.#messages.has(message.sequence)) return;
    if (counted) this.#count(message);
    const { maxDeliveryCount } = this.#settings;
    if (!this.isDeadLetter && message.deliveryCount >= maxDeliveryCount) {
      this.#moveToDeadLetter(
        message,
        'MaxDeliveryCountExceeded',
        `Message could not be consumed after ${maxDeliveryCount} delivery attempts.`,
      );
    } else if (message.expiresAt <= Date.now()) this.#expire(message);
    else if (message.state === messageState.active) this.#dispatcher.add(message);
  }

  #check(message: ParsedMessage): void {
    if (this.#settings.requiresSession && message.sessionId === undefined) {
      throw new BrokerError(
        'amqp:not-allowed',
        `The SessionId was not set on a message, and it cannot be sent to the entity '${this.address}'. ` +
          'Entities that have session support enabled can only receive messages that have the SessionId set.',
      );
    }
  }

  #newMessage(parsed: ParsedMessage, { firstSequence, hops }: Enqueueing): QueueMessage {
    const enqueuedAt = Date.now();
    const ttl = shorter(parsed.ttl, this.#settings.defaultTtlMs ?? undefined);
    const isScheduled = dueAt(parsed.annotations) > enqueuedAt;
    return {
      sequence: this.#takeSequence(),
      ...(firstSequence === undefined ? {} : { firstSequence }),
      ...(hops === undefined ? {} : { hops }),
      state: isScheduled ? messageState.scheduled : messageState.active,
      enqueuedAt,
      // The life of a scheduled message begins when it is due.
      expiresAt: ttl === undefined || isScheduled ? Number.POSITIVE_INFINITY : enqueuedAt + ttl,
      deliveryCount: 0,
      ...(parsed.sessionId === undefined ? {} : { sessionId: parsed.sessionId }),
      header: headerOf(parsed, ttl),
      annotations: parsed.annotations,
      bare: parsed.bare,
    };
  }

  /** Puts a message at the end of the queue, as if it came only now. */
  #addAnew(message: QueueMessage): void {
    if (this.#removed) return;
    this.#remove(message);
    const now = Date.now();
    const { ttl } = message.header;
    const { timeToLive: _timeToLive, ...rest } = message;
    const late: QueueMessage = {
      ...rest,
      sequence: this.#takeSequence(),
      state: messageState.active,
      enqueuedAt: now,
      expiresAt: ttl === undefined ? Number.POSITIVE_INFINITY : now + ttl,
    };
    this.#insert(late);
    this.#store.afterCommit(() => this.#add(late));
  }

  /** Reserved on disk in blocks, so that no number is given twice even across a crash. */
  #takeSequence(): number {
    const sequence = this.#nextSequence;
    this.#nextSequence += 1;
    if (sequence >= this.#reservedTo) {
      this.#reservedTo = sequence + reservedBlock;
      this.#store.change('UPDATE queue SET next_sequence=? WHERE id=?', this.#reservedTo, this.identity.id);
    }
    return sequence;
  }

  #add(message: QueueMessage): void {
    if (this.#removed) return;
    this.#messages.set(message.sequence, message);
    if (message.state === messageState.scheduled) {
      message.timeToLive = this.#deadlines.schedule(dueAt(message.annotations), () => this.#addAnew(message));
      return;
    }
    if (message.expiresAt !== Number.POSITIVE_INFINITY) {
      message.timeToLive = this.#deadlines.schedule(message.expiresAt, () => {
        // A locked message may be finished by its receiver and expires when it comes back, a deferred one when asked for.
        if (!message.lock && message.state === messageState.active) this.#expire(message);
      });
    }
    if (message.state === messageState.active) this.#dispatcher.add(message);
  }

  #startLock(message: QueueMessage, token: Buffer, session?: Session): void {
    message.lock?.expiry?.cancel();
    const until = session ? session.lockedUntil : Date.now() + this.lockDurationMs;
    message.lock = { token, until, ...(session ? { session } : {}) };
    this.#locked.set(token.toString('hex'), message);
    if (session) session.held.add(message);
    else message.lock.expiry = this.#deadlines.schedule(until, () => this.giveBack(message, true));
  }

  #unlock(message: QueueMessage): void {
    const { lock } = message;
    if (!lock) return;
    lock.expiry?.cancel();
    lock.session?.held.delete(message);
    this.#locked.delete(lock.token.toString('hex'));
    message.lock = undefined;
  }

  #expire(message: QueueMessage): void {
    if (this.#settings.deadLetteringOnExpiration && this.deadLetter) {
      this.#moveToDeadLetter(message, 'TTLExpiredException', 'The message expired and was dead lettered.');
    } else this.#remove(message);
  }

  #moveToDeadLetter(
    message: QueueMessage,
    reason?: string,
    description?: string,
    properties?: Readonly<Record<string, unknown>>,
  ): void {
    const target = this.deadLetter;
    if (!target) throw new BrokerError('amqp:not-allowed', 'A dead-letter queue has no dead-letter queue.');
    this.#remove(message);
    const { timeToLive: _timeToLive, lock: _lock, ...rest } = message;
    const dead: QueueMessage = {
      ...rest,
      state: messageState.active,
      expiresAt: Number.POSITIVE_INFINITY,
      annotations: withEntry(
        message.annotations,
        types.wrap_symbol('x-opt-deadletter-source'),
        types.wrap_string(this.identity.path),
      ),
      bare: withApplicationProperties(message.bare, {
        ...properties,
        DeadLetterReason: reason,
        DeadLetterErrorDescription: description,
      }),
    };
    target.#insert(dead);
    target.#add(dead);
  }

  #edit(message: QueueMessage, properties: Readonly<Record<string, unknown>> | undefined): void {
    if (!properties || Object.keys(properties).length === 0) return;
    message.bare = withApplicationProperties(message.bare, properties);
    this.#insert(message);
  }

  #insert(message: QueueMessage): void {
    this.#store.change(
      'INSERT OR REPLACE INTO message VALUES(?,?,?,?,?,?,?,?,?)',
      this.identity.id,
      this.isDeadLetter ? 1 : 0,
      message.sequence,
      message.enqueuedAt,
      message.expiresAt === Number.POSITIVE_INFINITY ? null : message.expiresAt,
      message.deliveryCount,
      encodeMessage(message.header, message.deliveryCount, message.annotations, message.bare),
      message.state,
      message.firstSequence ?? null,
    );
  }

  #count(message: QueueMessage): void {
    message.deliveryCount += 1;
    this.#store.change(
      'UPDATE message SET delivery_count=? WHERE queue=? AND dead=? AND sequence=?',
      message.deliveryCount,
      this.identity.id,
      this.isDeadLetter ? 1 : 0,
      message.sequence,
    );
  }

  #remove(message: QueueMessage): void {
    this.#forget(message);
    this.#deleteRow(message);
  }

  #deleteRow(message: QueueMessage): void {
    this.#store.change(
      'DELETE FROM message WHERE queue=? AND dead=? AND sequence=?',
      this.identity.id,
      this.isDeadLetter ? 1 : 0,
      message.sequence,
    );
  }

  #forget(message: QueueMessage): void {
    this.#unlock(message);
    message.timeToLive?.cancel();
    this.#messages.delete(message.sequence);
    this.#dispatcher.removed(message);
  }

  /** A dead-letter queue takes messages out of order. */
  #inOrder(): Iterable<QueueMessage> {
    const messages = this.#messages.values();
    return this.isDeadLetter ? [...messages].sort((a, b) => a.sequence - b.sequence) : messages;
  }

  #encodeForReceiver(message: QueueMessage): Buffer {
    const annotations: Typed[] = [
      ...message.annotations,
      types.wrap_symbol('x-opt-enqueued-time'),
      types.Timestamp(message.enqueuedAt),
      types.wrap_symbol('x-opt-sequence-number'),
      types.Long(message.sequence),
      types.wrap_symbol('x-opt-enqueue-sequence-number'),
      types.Long(message.firstSequence ?? message.sequence),
    ];
    if (message.state !== messageState.active) {
      annotations.push(types.wrap_symbol('x-opt-message-state'), types.Int(message.state));
    }
    if (message.lock) {
      annotations.push(types.wrap_symbol('x-opt-locked-until'), types.Timestamp(message.lock.until));
    }
    return encodeMessage(message.header, message.deliveryCount, annotations, message.bare);
  }
}

/** The message as if it came from a sender. */
const reparsed = ({ header, annotations, bare }: QueueMessage): ParsedMessage =>
  parseMessage(encodeMessage(header, 0, annotations, bare));

/** When a message is scheduled for, in ms since 1970; 0 when it is not. */
function dueAt(annotations: readonly Typed[]): number {
  const time = entryOf(annotations, 'x-opt-scheduled-enqueue-time');
  return time instanceof Date ? time.getTime() : Number(time ?? 0);
}

const shorter = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b);

function headerOf(parsed: ParsedMessage, ttl: number | undefined): QueueMessage['header'] {
  return {
    durable: parsed.durable,
    ...(parsed.priority === undefined ? {} : { priority: parsed.priority }),
    // The wire has 32 bits for it; a longer life is said as the longest one there is.
    ...(ttl === undefined ? {} : { ttl: Math.min(ttl, largestUint) }),
  };
}
