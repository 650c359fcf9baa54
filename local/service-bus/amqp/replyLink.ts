import type { Right } from '../config.ts';
import type { OutboundLink } from './attachedLink.ts';
import type { AmqpError, SenderLink } from './rhea.ts';

/** Carries answers of `$cbs` or of a management node to the client. */
export class ReplyLink implements OutboundLink {
  readonly link: SenderLink;
  readonly path: string;
  readonly anyOf: readonly Right[];

  constructor(link: SenderLink, path: string, anyOf: readonly Right[]) {
    this.link = link;
    this.path = path;
    this.anyOf = anyOf;
    link.set_source({ address: link.source?.address ?? '' });
    link.set_target(link.target?.address === undefined ? {} : { address: link.target.address });
  }

  close(error: AmqpError): void {
    this.link.close(error);
  }

  gone(): void {}

  onCredit(): void {}

  onDrain(): void {
    this.link.set_drained(true);
  }

  onOutcome(): void {}
}
