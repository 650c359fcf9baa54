import { BrokerError } from '../brokerError.ts';
import type { Deadlines } from './deadlines.ts';
import type { DispatchedQueue, Dispatcher } from './dispatcher.ts';
import type { Consumer, QueueMessage, Session } from './model.ts';
import { ReadyList } from './readyList.ts';

interface Waiter {
  readonly consumer: Consumer;
  readonly granted: (session: Session) => void;
}

/** Hands each session's messages, in order, to the one consumer that holds the session. */
export class SessionDispatcher implements Dispatcher {
  readonly #queue: DispatchedQueue;
  readonly #deadlines: Deadlines;
  readonly #sessions = new Map<string, Session>();
  /** Sessions with messages and no holder, in the order in which they became so. */
  readonly #available = new Set<Session>();
  readonly #waiters = new Set<Waiter>();

  constructor(queue: DispatchedQueue, deadlines: Deadlines) {
    this.#queue = queue;
    this.#deadlines = deadlines;
  }

  add(message: QueueMessage): void {
    const session = this.#session(message.sessionId ?? '');
    session.messages.add(message.sequence);
    session.updatedAt = Date.now();
    session.ready.add(message.sequence);
    if (session.holder) this.#pump(session, session.holder);
    else this.#offer(session);
  }

  removed(message: QueueMessage): void {
    const session = this.#sessions.get(message.sessionId ?? '');
    session?.messages.delete(message.sequence);
    if (session) this.#forgetIfIdle(session);
  }

  wants(consumer: Consumer): void {
    if (consumer.session) this.#pump(consumer.session, consumer);
  }

  /** Frees the consumer's session; messages in its hands come back at once and uncounted. */
  leave(consumer: Consumer): void {
    if (consumer.session) this.#release(consumer.session, false);
  }

  /** Locks a named session, also one without messages. Throws BrokerError when another receiver holds it. */
  accept(id: string, consumer: Consumer): Session {
    const session = this.#session(id);
    if (session.holder) {
      throw new BrokerError(
        'com.microsoft:session-cannot-be-locked',
        `The requested session '${id}' cannot be accepted. It may be locked by another receiver.`,
      );
    }
    this.#lock(session, consumer);
    return session;
  }

  /**
   * Locks the session that has waited longest, now or as soon as there is one.
   * @returns stops the waiting; harmless after the grant.
   */
  acceptNext(consumer: Consumer, granted: (session: Session) => void): () => void {
    const waiter: Waiter = { consumer, granted };
    this.#waiters.add(waiter);
    const [session] = this.#available;
    if (session) this.#offer(session);
    return () => this.#waiters.delete(waiter);
  }

  /** @returns the new end of the lock, in ms since 1970. */
  renew(session: Session): number {
    session.expiry?.cancel();
    session.lockedUntil = Date.now() + this.#queue.lockDurationMs;
    session.expiry = this.#deadlines.schedule(session.lockedUntil, () => this.#expire(session));
    for (const { lock } of session.held) if (lock) lock.until = session.lockedUntil;
    return session.lockedUntil;
  }

  /** The session if some consumer holds it. */
  held(id: string): Session | undefined {
    const session = this.#sessions.get(id);
    return session?.holder ? session : undefined;
  }

  /** Undefined clears it. */
  setState(id: string, state: Buffer | undefined, updatedAt: number): void {
    const session = this.#session(id);
    session.state = state;
    session.updatedAt = updatedAt;
    this.#forgetIfIdle(session);
  }

  /** Ids of the sessions with active messages or a state that changed after a moment, in order of their ids. */
  updatedAfter(moment: number): string[] {
    const found = [...this.#sessions.values()].filter(
      ({ messages, state, updatedAt }) => (messages.size > 0 || state !== undefined) && updatedAt > moment,
    );
    return found.map(({ id }) => id).sort();
  }

  #session(id: string): Session {
    let session = this.#sessions.get(id);
    if (!session) {
      session = {
        id,
        ready: new ReadyList(),
        held: new Set(),
        messages: new Set(),
        lockedUntil: 0,
        updatedAt: 0,
      };
      this.#sessions.set(id, session);
    }
    return session;
  }

  #offer(session: Session): void {
    const [waiter] = this.#waiters;
    if (!waiter) {
      this.#available.add(session);
      return;
    }
    this.#waiters.delete(waiter);
    this.#lock(session, waiter.consumer);
    waiter.granted(session);
  }

  #lock(session: Session, consumer: Consumer): void {
    this.#available.delete(session);
    session.holder = consumer;
    consumer.session = session;
    this.renew(session);
  }

  #expire(session: Session): void {
    const { holder } = session;
    this.#release(session, true);
    holder?.end(
      new BrokerError(
        'com.microsoft:session-lock-lost',
        `The session lock has expired on the MessageSession. Accept a new MessageSession. Session id: ${session.id}`,
      ),
    );
  }

  #release(session: Session, counted: boolean): void {
    session.expiry?.cancel();
    session.expiry = undefined;
    if (session.holder) session.holder.session = undefined;
    // Until all messages are back nobody may get the session, or it would start with a later message.
    const back = [...session.held];
    for (const message of back) this.#queue.giveBack(message, counted);
    session.holder = undefined;
    if (session.messages.size > 0) this.#offer(session);
    else this.#forgetIfIdle(session);
  }

  #forgetIfIdle(session: Session): void {
    if (session.holder || session.messages.size > 0 || session.state) return;
    this.#available.delete(session);
    this.#sessions.delete(session.id);
  }

  #pump(session: Session, holder: Consumer): void {
    // A released session keeps its holder while its messages come back, and must not hand them to it again.
    if (holder.session !== session) return;
    while (holder.capacity() > 0) {
      const message = this.#queue.takeReady(session.ready);
      if (!message) return;
      this.#queue.handOver(message, holder, session);
    }
  }
}
