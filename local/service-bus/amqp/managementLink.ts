import {
  BrokerError,
  describeError,
  entityNotFound,
  invalidArgument,
  lockLost,
  notImplemented,
} from '../brokerError.ts';
import { toNumber } from '../codec/values.ts';
import type { Right } from '../config.ts';
import type { Session } from '../engine/model.ts';
import type { Disposition, Queue } from '../engine/queue.ts';
import { type ActiveFault, refuseIfAsked } from '../faults.ts';
import type { InboundLink } from './attachedLink.ts';
import type { ClientConnection } from './clientConnection.ts';
import { EntityReceiver } from './entityReceiver.ts';
import type { SenderContext } from './entitySender.ts';
import { type Reply, reply } from './replies.ts';
import { type AmqpError, type DecodedMessage, type EventContext, type ReceiverLink, types } from './rhea.ts';

/** Either right lets a client attach to `$management`; each operation then has its own demand. */
export const managementRights: readonly Right[] = ['Listen', 'Send'];

const timestampCode = 0x83;
const statusOf: Readonly<Record<string, number>> = {
  'amqp:not-found': 404,
  'com.microsoft:message-lock-lost': 410,
  'com.microsoft:session-lock-lost': 410,
  'amqp:unauthorized-access': 401,
  'com.microsoft:argument-error': 400,
  'com.microsoft:server-busy': 503,
  'amqp:resource-limit-exceeded': 403,
  'amqp:not-allowed': 400,
  'amqp:not-implemented': 501,
};
const longestPeek = 1000;
const settleOperation = 'com.microsoft:update-disposition';

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
    const operation = operationOf(request);
    this.#client.require(this.path, ['Listen']);
    const queue = this.#findQueue();
    if (!queue) throw entityNotFound(this.path);
    const body = (request.body ?? {}) as Readonly<Record<string, unknown>>;
    switch (operation) {
      case 'com.microsoft:renew-lock': {
        const expirations = lockTokens(body).map((token) => queue.renew(token));
        return ok({ expirations: types.wrap_array(expirations, timestampCode) });
      }
      case settleOperation: {
        const disposition = dispositionOf(body);
        const sessionId = body['session-id'];
        if (typeof sessionId === 'string') this.#heldSession(queue, sessionId);
        for (const token of lockTokens(body)) queue.settle(token, disposition);
        return ok({});
      }
      case 'com.microsoft:peek-message':
        return peek(queue, body);
      case 'com.microsoft:renew-session-lock': {
        const session = this.#heldSession(queue, String(body['session-id']));
        return ok({ expiration: types.Timestamp(queue.sessions?.renew(session) ?? 0) });
      }
      default:
        throw notImplemented(`The operation '${operation}'`);
    }
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

const ok = (body: Readonly<Record<string, unknown>>): Reply => ({ status: 200, description: 'OK', body });

function peek(queue: Queue, body: Readonly<Record<string, unknown>>): Reply {
  const sessionId = body['session-id'];
  const atMost = Math.min(toNumber(body['message-count'] ?? 1), longestPeek);
  const found = queue.peek(
    toNumber(body['from-sequence-number'] ?? 1),
    atMost,
    typeof sessionId === 'string' ? sessionId : undefined,
  );
  if (found.length === 0) return { status: 204, description: 'No Content' };
  return ok({ messages: found.map((message) => ({ message })) });
}

function lockTokens(body: Readonly<Record<string, unknown>>): Buffer[] {
  const tokens = body['lock-tokens'];
  if (!Array.isArray(tokens) || tokens.length === 0 || !tokens.every((token) => Buffer.isBuffer(token))) {
    throw invalidArgument('lock-tokens must be an array of uuids.');
  }
  return tokens as Buffer[];
}

function dispositionOf(body: Readonly<Record<string, unknown>>): Disposition {
  const properties = (body['properties-to-modify'] ?? {}) as Readonly<Record<string, unknown>>;
  const status = body['disposition-status'];
  switch (status) {
    case 'completed':
      return { kind: 'complete' };
    case 'abandoned':
      return { kind: 'abandon', properties };
    case 'suspended': {
      const reason = body['deadletter-reason'];
      const description = body['deadletter-description'];
      return {
        kind: 'dead-letter',
        ...(typeof reason === 'string' ? { reason } : {}),
        ...(typeof description === 'string' ? { description } : {}),
        properties,
      };
    }
    case 'defered': // The protocol spells it so.
      throw notImplemented('Deferring a message');
    default:
      throw invalidArgument(`The disposition-status '${String(status)}' is not known.`);
  }
}
