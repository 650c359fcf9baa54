/** What a device is used as: the switch "live response for servers" asks for it. Stored data: never rename one. */
export const deviceKinds = ['workstation', 'server'] as const;
export type DeviceKind = (typeof deviceKinds)[number];

/** Events of `device-{deviceId}`. Names and fields are stored data. */
export type DeviceEvent =
  | {
      readonly type: 'DeviceEnrolled';
      readonly data: {
        readonly deviceId: string;
        readonly name: string;
        readonly platform: string;
        /** Lacking in old events, and when the device could not tell. */
        readonly kind?: DeviceKind;
        readonly osVersion: string;
        readonly agentVersion: string;
        /** Public Ed25519 key of the device, as JWK. */
        readonly publicKey: { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string };
        readonly kid: string;
        /** hash(deviceId) mod 4096, fixed for ever: which shard serves the device follows from it. */
        readonly bucket: number;
        readonly enrolmentTokenId: string;
        readonly at: string;
      };
    }
  | {
      readonly type: 'DeviceRetired';
      readonly data: {
        readonly deviceId: string;
        readonly by: string;
        readonly reason: string;
        readonly at: string;
      };
    };
