import type { Duplex } from 'node:stream';
import { describeError, entityNotFound, notAllowed, unauthorized } from '../brokerError.ts';
import type { Deadlines } from '../engine/deadlines.ts';
import type { Namespace } from '../engine/namespace.ts';
import { type Faults, refuseIfAsked } from '../faults.ts';
import type { Store } from '../store.ts';
import type { Gatekeeper } from '../tokens/gatekeeper.ts';
import { parseResourceUri } from '../tokens/scope.ts';
import type { InboundLink, OutboundLink, OutcomeName } from './attachedLink.ts';
import { attachReceiver } from './attachReceiver.ts';
import { ClientConnection } from './clientConnection.ts';
import { EntitySender, maxMessageSize } from './entitySender.ts';
import { ManagementLink, managementRights } from './managementLink.ts';
import { ReplyLink } from './replyLink.ts';
import {
  type Connection,
  createContainer,
  type EventContext,
  type ReceiverLink,
  type SenderLink,
} from './rhea.ts';
import { prepareConnection, refuseAttach } from './serverConnection.ts';
import { TokenLink } from './tokenLink.ts';

export interface AmqpContext {
  readonly namespace: Namespace;
  readonly store: Store;
  readonly deadlines: Deadlines;
  readonly gatekeeper: Gatekeeper;
  readonly faults: Faults;
}

const maxFrameSize = 65_536;
const connectionOptions = {
  max_frame_size: maxFrameSize,
  channel_max: 4999,
  idle_time_out: 120_000,
  tcp_no_delay: true,
  receiver_options: { autoaccept: false, credit_window: 1000 },
  sender_options: { treat_modified_as_released: false },
};
/** Above the message limit, so that a message a little too large is refused by itself and not with its connection. */
const maxTransferSize = maxMessageSize + 1_048_576;
const managementSuffix = '/$management';

/** Speaks AMQP for one namespace on byte streams that are already secured and framed. */
export class AmqpEndpoint {
  readonly #context: AmqpContext;
  readonly #clients = new WeakMap<Connection, ClientConnection>();
  readonly #container = createContainer({ id: 'service-bus', non_fatal_errors: [] });

  constructor(context: AmqpContext) {
    this.#context = context;
    // With this rhea takes both SASL ANONYMOUS and clients without any SASL layer: those with a ready-made token.
    this.#container.sasl_server_mechanisms.enable_anonymous();
    this.#listen();
  }

  accept(stream: Duplex): void {
    const connection = this.#container.create_connection(connectionOptions);
    prepareConnection(
      connection,
      { maxFrameSize, maxTransferSize },
      (link) => this.#clients.get(connection)?.inbound.get(link)?.wantsBytes ?? false,
    );
    const client = new ClientConnection(connection, this.#context.deadlines);
    this.#clients.set(connection, client);
    stream.on('close', () => {
      client.end();
      // Stops rhea's timers also when the stream was destroyed from this side.
      connection.eof();
    });
    connection.accept(stream);
  }

  #listen(): void {
    const container = this.#container;
    container.on('receiver_open', ({ connection, receiver }) =>
      this.#attach(receiver, () => {
        const client = this.#client(connection);
        client.inbound.set(receiver, this.#attachInbound(client, receiver));
      }),
    );
    container.on('sender_open', ({ connection, sender }) =>
      this.#attach(sender, () => {
        const client = this.#client(connection);
        client.addOutbound(sender, this.#attachOutbound(client, sender));
      }),
    );
    container.on('message', (context) => this.#inbound(context)?.onMessage(context));
    container.on('sender_flow', (context) => this.#outbound(context)?.onCredit());
    container.on('sendable', (context) => this.#outbound(context)?.onCredit());
    container.on('sender_draining', (context) => this.#outbound(context)?.onDrain());
    for (const outcome of ['accepted', 'rejected', 'released', 'modified'] as const) {
      container.on(outcome, (context) => this.#outcome(outcome, context));
    }
    container.on('settled', (context) => {
      // Settled without saying how: the message goes back.
      if (context.sender && context.delivery.remote_state === undefined) this.#outcome('released', context);
    });
    container.on('sender_close', ({ connection, sender }) => this.#client(connection).dropOutbound(sender));
    container.on('receiver_close', ({ connection, receiver }) =>
      this.#client(connection).dropInbound(receiver),
    );
    container.on('session_close', ({ connection, session }) => {
      const client = this.#client(connection);
      for (const link of [...client.outbound.keys()]) if (link.session === session) client.dropOutbound(link);
      for (const link of [...client.inbound.keys()]) if (link.session === session) client.dropInbound(link);
    });
    for (const event of ['connection_close', 'disconnected']) {
      container.on(event, ({ connection }) => this.#client(connection).end());
    }
    // Emitters throw what nobody listens to; the clean-up hangs on the events above.
    for (const event of [
      'error',
      'connection_error',
      'protocol_error',
      'session_error',
      'sender_error',
      'receiver_error',
    ]) {
      container.on(event, () => undefined);
    }
  }

  #attach(link: SenderLink | ReceiverLink, attach: () => void): void {
    try {
      attach();
    } catch (error) {
      refuseAttach(link, describeError(error));
    }
  }

  #attachInbound(client: ClientConnection, link: ReceiverLink): InboundLink {
    const { store, namespace, gatekeeper, faults } = this.#context;
    const address = link.target?.address ?? '';
    const { path } = parseResourceUri(address);
    link.set_target({ address });
    link.set_source(link.source?.address === undefined ? {} : { address: link.source.address });
    if (path === '$cbs') return new TokenLink(link, client, gatekeeper);
    client.require(path, path.endsWith(managementSuffix) ? managementRights : ['Send']);
    this.#meetFault(link, path);
    if (path.endsWith(managementSuffix)) {
      const queuePath = path.slice(0, -managementSuffix.length);
      this.#queue(queuePath);
      return new ManagementLink(link, path, client, this.#context, () => namespace.find(queuePath));
    }
    const queue = this.#queue(path);
    if (queue.isDeadLetter)
      throw unauthorized(`Nobody can send to '${address}'; messages get there by rejection.`);
    if (queue.identity.kind === 'subscription') {
      throw notAllowed(`Nobody can send to the subscription '${address}'. Send to its topic.`);
    }
    return new EntitySender(link, path, queue, { store, faults });
  }

  #attachOutbound(client: ClientConnection, link: SenderLink): OutboundLink {
    const { path } = parseResourceUri(link.source?.address ?? '');
    if (path === '$cbs') return new ReplyLink(link, path, []);
    if (path.endsWith(managementSuffix)) {
      client.require(path, managementRights);
      return new ReplyLink(link, path, managementRights);
    }
    client.require(path, ['Listen']);
    this.#meetFault(link, path);
    const queue = this.#queue(path);
    queue.checkReceivable();
    return attachReceiver(link, path, queue, this.#context);
  }

  #meetFault(link: SenderLink | ReceiverLink, path: string): void {
    const fault = this.#context.faults.meet('attach', path);
    refuseIfAsked(fault);
    if (fault?.do === 'cutBefore') link.connection.socket?.destroy();
  }

  #queue(path: string) {
    const queue = this.#context.namespace.find(path);
    if (queue) return queue;
    throw entityNotFound(path);
  }

  #outcome(outcome: OutcomeName, context: EventContext): void {
    this.#outbound(context)?.onOutcome(outcome, context);
  }

  #client(connection: Connection): ClientConnection {
    const client = this.#clients.get(connection);
    if (!client) throw new Error('An event came from a connection that was never accepted.');
    return client;
  }

  #inbound(context: EventContext): InboundLink | undefined {
    return this.#clients.get(context.connection)?.inbound.get(context.receiver);
  }

  #outbound(context: EventContext): OutboundLink | undefined {
    return this.#clients.get(context.connection)?.outbound.get(context.sender);
  }
}
