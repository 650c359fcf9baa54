import { describeError } from '../brokerError.ts';
import type { Gatekeeper } from '../tokens/gatekeeper.ts';
import type { InboundLink } from './attachedLink.ts';
import type { ClientConnection } from './clientConnection.ts';
import { reply } from './replies.ts';
import type { AmqpError, DecodedMessage, EventContext, ReceiverLink } from './rhea.ts';

/** The `$cbs` node: clients put their tokens here before they attach to anything else. */
export class TokenLink implements InboundLink {
  readonly path = '$cbs';
  readonly anyOf = [];
  readonly wantsBytes = false;
  readonly #link: ReceiverLink;
  readonly #client: ClientConnection;
  readonly #gatekeeper: Gatekeeper;

  constructor(link: ReceiverLink, client: ClientConnection, gatekeeper: Gatekeeper) {
    this.#link = link;
    this.#client = client;
    this.#gatekeeper = gatekeeper;
  }

  onMessage(context: EventContext): void {
    context.delivery.accept();
    void this.#answer(context.message as DecodedMessage);
  }

  close(error: AmqpError): void {
    this.#link.close(error);
  }

  gone(): void {}

  async #answer(request: DecodedMessage): Promise<void> {
    const { operation, type, name } = request.application_properties ?? {};
    if (operation !== 'put-token') {
      reply(this.#client, request, {
        status: 400,
        description: `The operation '${String(operation)}' is not known at $cbs.`,
        condition: 'amqp:not-allowed',
      });
      return;
    }
    try {
      this.#client.grant(await this.#gatekeeper.admit(String(type), String(request.body), String(name)));
      reply(this.#client, request, { status: 202, description: 'Accepted' });
    } catch (error) {
      const { condition, description } = describeError(error);
      reply(this.#client, request, { status: 401, description, condition });
    }
  }
}
