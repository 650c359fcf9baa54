import { BrokerError, describeError, entityNotFound, lockLost, notImplemented } from '../brokerError.ts';
import type { Right } from '../config.ts';
import type { Session } from '../engine/model.ts';
import type { Queue } from '../engine/queue.ts';
import { type ActiveFault, refuseIfAsked } from '../faults.ts';
import type { InboundLink } from './attachedLink.ts';
import type { ClientConnection } from './clientConnection.ts';
import { EntityReceiver } from './entityReceiver.ts';
import type { SenderContext } from './entitySender.ts';
import { messageOperations, type RequestBody, settleOperation } from './messageOperations.ts';
import { type Reply, reply } from './replies.ts';
import { ruleOperations } from './ruleOperations.ts';
import { type AmqpError, type DecodedMessage, type EventContext, type ReceiverLink } from './rhea.ts';

/** Either right lets a client attach to `$management`; each operation then has its own demand. */
export const managementRights: readonly Right[] = ['Listen', 'Send'];

const statusOf: Readonly<Record<string, number>> = {
  'amqp:not-found': 404,
  'com.microsoft:message-not-found': 404,
  'com.microsoft:message-lock-lost': 410,
  'com.microsoft:session-lock-lost': 410,
  'amqp:unauthorized-access': 401,
  'com.microsoft:argument-error': 400,
  'com.microsoft:server-busy': 503,
  'amqp:resource-limit-exceeded': 403,
  'amqp:not-allowed': 400,
  'com.microsoft:entity-already-exists': 409,
  'com.microsoft:entity-disabled': 400,
  'amqp:not-implemented': 501,
};

const operations = new Map(Object.entries({ ...messageOperations, ...ruleOperations }));

/** `<queue>/$management`: requests about a queue's messages and locks. */
export class ManagementLink implements InboundLink {
  readonly path: string;
  readonly anyOf = managementRights;
  readonly wantsBytes = false;
  readonly #link: ReceiverLink;
  readonly #client: ClientConnection;
  readonly #context: SenderContext;
  readonly #findQueue: () => Queue | undefined;

  constructor(
    link: ReceiverLink,
    path: string,
    client: ClientConnection,
    context: SenderContext,
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
    else if (fault?.do === 'delay') setTimeout(() => this.#answer(request, undefined), fault.delayMs);
    else this.#answer(request, fault);
  }

  #answer(request: DecodedMessage, fault: ActiveFault | undefined): void {
    try {
      refuseIfAsked(fault);
      if (fault?.do === 'lockLost') throw lockLost();
      const answer = this.#perform(request);
      this.#context.store.afterCommit(() => {
        if (fault?.do === 'cutAfter') this.#cut();
        else if (fault?.do !== 'loseAnswer') reply(this.#client, request, answer);
      });
    } catch (error) {
      const { condition, description } = describeError(error);
      reply(this.#client, request, { status: statusOf[condition] ?? 500, description, condition });
    }
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
