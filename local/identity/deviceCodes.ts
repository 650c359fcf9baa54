import { randomBytes, randomInt } from 'node:crypto';
import { OAuthError } from './oauthError.ts';
import type { Tenant, User } from './seed.ts';

/** A sign-in that waits for a person. */
export interface DeviceSignIn {
  readonly deviceCode: string;
  readonly userCode: string;
  readonly tenant: Tenant;
  readonly clientId: string;
  readonly scope: string;
}

interface Pending extends DeviceSignIn {
  readonly expiresAt: number;
  user?: User;
}

/** Seconds a code can be used. */
export const deviceCodeLifetime = 900;
/** Seconds between polls. Entra says 5; a person at the same machine need not wait that long. */
export const pollInterval = 1;

/** Letters that cannot be misread. */
const alphabet = 'BCDFGHJKLMNPQRSTVWXZ';

export interface DeviceCodes {
  begin(request: Omit<DeviceSignIn, 'deviceCode' | 'userCode'>): DeviceSignIn;
  /** Throws OAuthError when the code is unknown, used or out of time. */
  approve(tenant: Tenant, userCode: string, user: User): void;
  /** Gives the approved sign-in, once. Throws OAuthError `authorization_pending` until then. */
  redeem(tenant: Tenant, deviceCode: string, clientId: string): { signIn: DeviceSignIn; user: User };
}

/** Codes live in memory only: after a restart people begin again. */
export function createDeviceCodes(now: () => number = Date.now): DeviceCodes {
  const byDeviceCode = new Map<string, Pending>();

  const forgetOld = () => {
    for (const [code, pending] of byDeviceCode) if (pending.expiresAt <= now()) byDeviceCode.delete(code);
  };

  return {
    begin(request) {
      forgetOld();
      const pending: Pending = {
        ...request,
        deviceCode: randomBytes(32).toString('base64url'),
        userCode: Array.from({ length: 9 }, () => alphabet[randomInt(alphabet.length)]).join(''),
        expiresAt: now() + deviceCodeLifetime * 1000,
      };
      byDeviceCode.set(pending.deviceCode, pending);
      return pending;
    },

    approve(tenant, userCode, user) {
      forgetOld();
      const code = userCode.trim().toUpperCase();
      const pending = [...byDeviceCode.values()].find(
        (one) => one.userCode === code && one.tenant === tenant,
      );
      if (pending === undefined || pending.user !== undefined) {
        throw new OAuthError(
          400,
          'invalid_grant',
          70019,
          'The code is unknown, used or out of time. Ask for a new one.',
        );
      }
      pending.user = user;
    },

    redeem(tenant, deviceCode, clientId) {
      const pending = byDeviceCode.get(deviceCode);
      if (pending === undefined || pending.tenant !== tenant || pending.clientId !== clientId) {
        throw new OAuthError(
          400,
          'bad_verification_code',
          70018,
          'The device code is unknown or was used already.',
        );
      }
      if (pending.expiresAt <= now()) {
        byDeviceCode.delete(deviceCode);
        throw new OAuthError(400, 'expired_token', 70020, 'The device code is out of time. Begin again.');
      }
      if (pending.user === undefined) {
        throw new OAuthError(400, 'authorization_pending', 70016, 'Nobody has entered the code yet.');
      }
      byDeviceCode.delete(deviceCode);
      return { signIn: pending, user: pending.user };
    },
  };
}
