import { unauthorized } from '../brokerError.ts';
import type { Right } from '../config.ts';
import type { Deadline, Deadlines } from '../engine/deadlines.ts';
import { type Grant, Grants } from '../tokens/grants.ts';
import type { AttachedLink, InboundLink, OutboundLink } from './attachedLink.ts';
import type { Connection, ReceiverLink, SenderLink } from './rhea.ts';
import { forceClose } from './serverConnection.ts';

const authenticateWithinMs = 20_000;
/** Grants that end close to each other are looked at together. */
const expiryGrainMs = 250;

/**
 * One client's connection: what it may do and which links it has. rhea closes no links when a connection drops, so this
 * table is what gets cleaned up.
 */
export class ClientConnection {
  readonly inbound = new Map<ReceiverLink, InboundLink>();
  readonly outbound = new Map<SenderLink, OutboundLink>();
  readonly #outboundByAddress = new Map<string, SenderLink>();
  readonly #grants = new Grants();
  readonly #deadlines: Deadlines;
  #authenticate: Deadline | undefined;
  #check: Deadline | undefined;
  #checkAt = Number.POSITIVE_INFINITY;
  #ended = false;

  constructor(connection: Connection, deadlines: Deadlines) {
    this.#deadlines = deadlines;
    this.#authenticate = deadlines.schedule(Date.now() + authenticateWithinMs, () =>
      forceClose(connection, 'No valid token was presented within 20 seconds.'),
    );
  }

  grant(grant: Grant): void {
    if (this.#ended) return;
    this.#authenticate?.cancel();
    this.#grants.add(grant);
    this.#checkBy(grant.expiresAt);
  }

  allows(path: string, anyOf: readonly Right[]): boolean {
    return anyOf.some((right) => this.#grants.allows(path, right));
  }

  /** Throws BrokerError (unauthorized). */
  require(path: string, anyOf: readonly Right[]): void {
    if (this.allows(path, anyOf)) return;
    throw unauthorized(
      `Unauthorized access. '${anyOf.join("' or '")}' claim(s) are required to perform this operation. ` +
        `Resource: '${path}'.`,
    );
  }

  /** The link on which answers for this `reply-to` go out. */
  replyLink(replyTo: string): SenderLink | undefined {
    return this.#outboundByAddress.get(replyTo);
  }

  addOutbound(link: SenderLink, attached: OutboundLink): void {
    this.outbound.set(link, attached);
    for (const address of addressesOf(link)) this.#outboundByAddress.set(address, link);
  }

  dropInbound(link: ReceiverLink): void {
    const attached = this.inbound.get(link);
    this.inbound.delete(link);
    attached?.gone(true);
  }

  dropOutbound(link: SenderLink): void {
    const attached = this.outbound.get(link);
    this.outbound.delete(link);
    for (const address of addressesOf(link)) {
      if (this.#outboundByAddress.get(address) === link) this.#outboundByAddress.delete(address);
    }
    attached?.gone(true);
  }

  /** The connection is gone: everything attached ends. Harmless when repeated. */
  end(): void {
    this.#ended = true;
    this.#authenticate?.cancel();
    this.#check?.cancel();
    for (const attached of this.#attached()) attached.gone(false);
    this.inbound.clear();
    this.outbound.clear();
    this.#outboundByAddress.clear();
  }

  #checkBy(moment: number): void {
    const at = Math.ceil(moment / expiryGrainMs) * expiryGrainMs;
    if (at >= this.#checkAt) return;
    this.#check?.cancel();
    this.#checkAt = at;
    this.#check = this.#deadlines.schedule(at, () => this.#endUnauthorized());
  }

  #endUnauthorized(): void {
    this.#checkAt = Number.POSITIVE_INFINITY;
    for (const attached of this.#attached()) {
      if (attached.anyOf.length === 0 || this.allows(attached.path, attached.anyOf)) continue;
      attached.close({
        condition: 'amqp:unauthorized-access',
        description: `ExpiredToken: The token for '${attached.path}' is expired.`,
      });
    }
    this.#grants.forgetExpired();
    this.#checkBy(this.#grants.nextExpiry());
  }

  #attached(): AttachedLink[] {
    return [...this.inbound.values(), ...this.outbound.values()];
  }
}

/** Clients name a reply link by its target address; `$cbs` clients leave that empty and use the link's name. */
const addressesOf = (link: SenderLink): string[] =>
  link.target?.address ? [link.name, link.target.address] : [link.name];
