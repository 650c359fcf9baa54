import { unauthorized } from '../brokerError.ts';
import type { VerifyEntraToken } from './entra.ts';
import type { Grant } from './grants.ts';
import { type SasScope, verifySas } from './sas.ts';
import { parseResourceUri } from './scope.ts';

export const tokenType = { sas: 'servicebus.windows.net:sastoken', jwt: 'jwt' } as const;

/** Turns tokens of either kind into grants on one namespace. */
export class Gatekeeper {
  readonly #scope: SasScope;
  readonly #verifyEntra: VerifyEntraToken | undefined;

  constructor(scope: SasScope, verifyEntra?: VerifyEntraToken) {
    this.#scope = scope;
    this.#verifyEntra = verifyEntra;
  }

  /** @param audience URI of what the token is wanted for. Throws BrokerError (unauthorized). */
  async admit(kind: string, token: string, audience: string): Promise<Grant> {
    const { host, path } = parseResourceUri(audience);
    if (host !== undefined && !this.#scope.hosts.has(host)) {
      throw unauthorized(`InvalidAudience: '${audience}' does not lie in this namespace.`);
    }
    if (kind === tokenType.sas) return verifySas(token, path, this.#scope);
    if (kind !== tokenType.jwt) throw unauthorized(`Tokens of type '${kind}' are not known here.`);
    if (!this.#verifyEntra) {
      throw unauthorized('This broker was started without an Entra issuer (setting entra). Use a SAS token.');
    }
    const { rights, expiresAt } = await this.#verifyEntra(token);
    return { path, rights, expiresAt };
  }
}
