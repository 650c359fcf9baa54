import {
  BrokerError,
  describeError,
  entityNotFound,
  httpStatusOf,
  lockLost,
  notImplemented,
} from '../brokerError.ts';
import type { Right } from '../config.ts';
import type { Session } from '../engine/model.ts';
import type { Queue } from '../engine/queue.ts';
import { type ActiveFault, refuseIfAsked } from '../faults.ts';
import type { InboundLink } from './attachedLink.ts';
import type { ClientConnection } from './clientConnection.ts';
import { EntityReceiver, type ReceiverContext } from './entityReceiver.ts';
import { lockTokens, messageOperations, type RequestBody, settleOperation } from './messageOperations.ts';
import { type Reply, reply } from './replies.ts';
import { ruleOperations } from './ruleOperations.ts';
import { type AmqpError, type DecodedMessage, type EventContext, type ReceiverLink } from './rhea.ts';

/** Either right lets a client attach to `$management`; each operation then has its own demand. */
export const managementRights: readonly Right[] = ['Listen', 'Send'];

const operations = new Map(Object.entries({ ...messageOperations, ...ruleOperations }));

/** `<queue>/$management`: requests about a queue's messages and locks. */
export class ManagementLink implements InboundLink {
  readonly path: string;
  readonly anyOf = managementRights;
  readonly wantsBytes = false;
  readonly #link: ReceiverLink;
  readonly #client: ClientConnection;
  readonly #context: ReceiverContext;
  readonly #findQueue: () => Queue | undefined;

  constructor(
    link: ReceiverLink,
    path: string,
    client: ClientConnection,
    context: ReceiverContext,
    findQueue: () => Queue | undefined,
  ) {
    this.#link = link;
    this.path = path;
    this.#client = client;
    this.#context = context;
    this.#findQueue = findQueue;
  }

  onMessage(context: EventContext): void {
    context.delivery.accept();
    const request = context.message as DecodedMessage;
    const point = operationOf(request) === settleOperation ? 'settle' : 'manage';
    const fault = this.#context.faults.meet(point, this.path);
    if (fault?.do === 'drop') return;
    if (fault?.do === 'cutBefore') this.#cut();
    else if (fault?.do === 'delay') this.#answerLater(request, fault.delayMs);
    else this.#answer(request, fault);
  }

  #answerLater(request: DecodedMessage, delayMs: number): void {
    this.#context.deadlines.schedule(Date.now() + delayMs, () => this.#answer(request, undefined));
  }

  #answer(request: DecodedMessage, fault: ActiveFault | undefined): void {
    try {
      refuseIfAsked(fault);
      if (fault?.do === 'lockLost') this.#loseLocks(request);
      const answer = this.#perform(request);
      this.#context.store.afterCommit(() => {
        if (fault?.do === 'cutAfter') this.#cut();
        else if (fault?.do !== 'loseAnswer') reply(this.#client, request, answer);
      });
    } catch (error) {
      const { condition, description } = describeError(error);
      reply(this.#client, request, { status: httpStatusOf(error), description, condition });
    }
  }

  #loseLocks(request: DecodedMessage): never {
    for (const token of lockTokens((request.body ?? {}) as RequestBody)) this.#findQueue()?.loseLock(token);
    throw lockLost();
  }

  #cut(): void {
    this.#link.connection.socket?.destroy();
  }

  close(error: AmqpError): void {
    this.#link.close(error);
  }

  gone(): void {}

  #perform(request: DecodedMessage): Reply {
    const name = operationOf(request);
    const operation = operations.get(name);
    if (!operation) throw notImplemented(`The operation '${name}'`);
    this.#client.require(this.path, [operation.right]);
    const queue = this.#findQueue();
    if (!queue) throw entityNotFound(this.path);
    return operation.perform(queue, (request.body ?? {}) as RequestBody, (id) =>
      this.#heldSession(queue, id),
    );
  }

  /** A session answers only to the connection that holds it. */
  #heldSession(queue: Queue, id: string): Session {
    const session = queue.sessions?.held(id);
    const holder = session?.holder;
    if (session && holder instanceof EntityReceiver && this.#client.outbound.has(holder.link)) return session;
    throw new BrokerError(
      'com.microsoft:session-lock-lost',
      `The lock of the session '${id}' is not held here.`,
    );
  }
}

const operationOf = (request: DecodedMessage): string => String(request.application_properties?.operation);
