import { type KeyObject, randomUUID } from 'node:crypto';
import type { PresenceMessageContent, SessionMessage, UpwardMessage } from '../../contracts/device.ts';
import { signMessage } from '../../evidence/deviceSignature.ts';
import type { Journal } from './journal.ts';

/** Who this device is, and the key with which it signs. */
export interface DeviceIdentity {
  readonly tenantId: string;
  readonly deviceId: string;
  readonly kid: string;
  readonly privateKey: KeyObject;
}

/** The scope of the presence queue's numbers. */
export const presenceScope = '';

/** Makes signed upward messages, each with the next number of its scope. */
export class Reporter {
  readonly #journal: Journal;
  readonly #identity: DeviceIdentity;
  readonly #spooled: (sessionId: string) => void;

  /** @param spooled is called after the commit, with the session that has something to send. */
  constructor(journal: Journal, identity: DeviceIdentity, spooled: (sessionId: string) => void) {
    this.#journal = journal;
    this.#identity = identity;
    this.#spooled = spooled;
  }

  /**
   * Numbers, signs and spools one message together with the change that it reports. `change` may answer false: then nothing is
   * reported and nothing changed.
   */
  report(sessionId: string, content: SessionMessage, change: () => boolean | void = () => true): boolean {
    const done = this.#journal.atomically(() => {
      if (change() === false) return false;
      const message = this.#signed(sessionId, sessionId, content);
      this.#journal.spool(sessionId, message.messageId, JSON.stringify(message));
      return true;
    });
    if (done) this.#spooled(sessionId);
    return done;
  }

  /** A presence message is of use only when it is fresh: it is numbered and signed, and not spooled. */
  presence(sessionId: string | null, content: PresenceMessageContent): UpwardMessage {
    return this.#signed(presenceScope, sessionId, content);
  }

  #signed(
    scope: string,
    sessionId: string | null,
    content: { readonly kind: string; readonly body: unknown },
  ): UpwardMessage {
    const { tenantId, deviceId, kid, privateKey } = this.#identity;
    return signMessage(
      {
        v: 1,
        messageId: randomUUID(),
        tenantId,
        deviceId,
        sessionId,
        kid,
        run: this.#journal.run,
        ...this.#journal.nextSequence(scope),
        kind: content.kind,
        body: content.body,
      },
      privateKey,
    );
  }
}
