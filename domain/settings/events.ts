import type { SignatureAlgorithm } from '../library/events.ts';
import type { LimitOverrides } from '../limits.ts';

/** Events of `settings-{tenantId}`. Names and fields are stored data. */
export type SettingsEvent =
  | {
      readonly type: 'LimitsChanged';
      readonly data: { readonly limits: LimitOverrides; readonly by: string; readonly at: string };
    }
  | {
      readonly type: 'SwitchesChanged';
      readonly data: { readonly switches: Partial<Switches>; readonly by: string; readonly at: string };
    }
  | {
      readonly type: 'EnrolmentTokenCreated';
      readonly data: {
        readonly tokenId: string;
        /** SHA-256, hex, of the token: the token itself is shown once and stored nowhere. */
        readonly tokenHash: string;
        readonly description: string;
        readonly uses: number;
        readonly expiresAt: string;
        readonly by: string;
        readonly at: string;
      };
    }
  | {
      readonly type: 'EnrolmentTokenUsed';
      readonly data: { readonly tokenId: string; readonly deviceId: string; readonly at: string };
    }
  | {
      readonly type: 'EnrolmentTokenRevoked';
      readonly data: { readonly tokenId: string; readonly by: string; readonly at: string };
    }
  | {
      readonly type: 'SignerTrusted';
      readonly data: TrustedSigner & { readonly by: string; readonly at: string };
    }
  | {
      readonly type: 'SignerDistrusted';
      readonly data: { readonly keyId: string; readonly by: string; readonly at: string };
    };

/** Someone whose signatures make a script one that may run. */
export interface TrustedSigner {
  /** SHA-256, hex, of the key's SPKI in DER. */
  readonly keyId: string;
  readonly name: string;
  readonly algorithm: SignatureAlgorithm;
  /** SPKI, DER, base64. */
  readonly publicKey: string;
}

export interface Switches {
  /** Master switch: no session can be opened when off. */
  readonly liveResponse: boolean;
  /** Sessions on servers. */
  readonly servers: boolean;
  /** Scripts without a signature of a trusted signer. */
  readonly unsignedScripts: boolean;
}
