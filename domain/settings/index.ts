import type { Decider } from '../decider.ts';
import { unreachable } from '../decider.ts';
import { DomainError } from '../domainError.ts';
import type { DeviceKind } from '../device/index.ts';
import type { DomainEvent } from '../envelope.ts';
import type { StreamFold } from '../eventStore.ts';
import { type LimitOverrides, limitBounds } from '../limits.ts';
import type { SettingsEvent, Switches, TrustedSigner } from './events.ts';

export type { SettingsEvent, Switches, TrustedSigner } from './events.ts';

export interface EnrolmentToken {
  readonly tokenId: string;
  readonly tokenHash: string;
  readonly description: string;
  readonly uses: number;
  /** Devices that were enrolled with it. */
  readonly usedBy: readonly string[];
  readonly expiresAt: string;
}

export interface SettingsState {
  readonly limits: LimitOverrides;
  readonly switches: Switches;
  readonly tokens: Readonly<Record<string, EnrolmentToken>>;
  /** By key id. */
  readonly signers: Readonly<Record<string, TrustedSigner>>;
}

export type SettingsCommand =
  | {
      readonly type: 'ChangeLimits';
      readonly limits: LimitOverrides;
      readonly by: string;
      readonly now: string;
    }
  | {
      readonly type: 'ChangeSwitches';
      readonly switches: Partial<Switches>;
      readonly by: string;
      readonly now: string;
    }
  | {
      readonly type: 'CreateEnrolmentToken';
      readonly tokenId: string;
      readonly tokenHash: string;
      readonly description: string;
      readonly uses: number;
      readonly expiresAt: string;
      readonly by: string;
      readonly now: string;
    }
  | {
      readonly type: 'UseEnrolmentToken';
      readonly tokenHash: string;
      readonly deviceId: string;
      readonly now: string;
    }
  | {
      readonly type: 'RevokeEnrolmentToken';
      readonly tokenId: string;
      readonly by: string;
      readonly now: string;
    }
  | ({ readonly type: 'TrustSigner'; readonly by: string; readonly now: string } & TrustedSigner)
  | { readonly type: 'DistrustSigner'; readonly keyId: string; readonly by: string; readonly now: string };

const initialState: SettingsState = {
  limits: {},
  switches: { liveResponse: true, servers: true, unsignedScripts: false },
  tokens: {},
  signers: {},
};

/** The head must stay small: tokens that can enrol nothing any more are forgotten when a new one is made. */
const rememberedTokens = 100;
const usesPerToken = 1_000;
const mostSigners = 50;

const evolve = (state: SettingsState, event: SettingsEvent): SettingsState => {
  switch (event.type) {
    case 'LimitsChanged':
      return { ...state, limits: { ...state.limits, ...event.data.limits } };
    case 'SwitchesChanged':
      return { ...state, switches: { ...state.switches, ...event.data.switches } };
    case 'EnrolmentTokenCreated': {
      const { tokenId, tokenHash, description, uses, expiresAt, at } = event.data;
      const usable = Object.values(state.tokens).filter(
        (token) => token.expiresAt > at && token.usedBy.length < token.uses,
      );
      const tokens = Object.fromEntries(usable.map((token) => [token.tokenId, token]));
      return {
        ...state,
        tokens: { ...tokens, [tokenId]: { tokenId, tokenHash, description, uses, expiresAt, usedBy: [] } },
      };
    }
    case 'EnrolmentTokenUsed': {
      const token = state.tokens[event.data.tokenId];
      if (token === undefined) return state;
      const used = { ...token, usedBy: [...token.usedBy, event.data.deviceId] };
      return { ...state, tokens: { ...state.tokens, [token.tokenId]: used } };
    }
    case 'EnrolmentTokenRevoked': {
      const { [event.data.tokenId]: _revoked, ...tokens } = state.tokens;
      return { ...state, tokens };
    }
    case 'SignerTrusted': {
      const { by: _by, at: _at, ...signer } = event.data;
      return { ...state, signers: { ...state.signers, [signer.keyId]: signer } };
    }
    case 'SignerDistrusted': {
      const { [event.data.keyId]: _distrusted, ...signers } = state.signers;
      return { ...state, signers };
    }
    default:
      return unreachable(event);
  }
};

const decide = (command: SettingsCommand, state: SettingsState): readonly SettingsEvent[] => {
  switch (command.type) {
    case 'ChangeLimits': {
      const { limits, by, now } = command;
      refuseOutOfBounds(limits);
      const changed = Object.entries(limits).filter(
        ([name, value]) => state.limits[name as keyof LimitOverrides] !== value,
      );
      if (changed.length === 0) return [];
      return [{ type: 'LimitsChanged', data: { limits: Object.fromEntries(changed), by, at: now } }];
    }
    case 'ChangeSwitches': {
      const { switches, by, now } = command;
      const changed = Object.entries(switches).filter(
        ([name, value]) => state.switches[name as keyof Switches] !== value,
      );
      if (changed.length === 0) return [];
      return [{ type: 'SwitchesChanged', data: { switches: Object.fromEntries(changed), by, at: now } }];
    }
    case 'CreateEnrolmentToken': {
      const { type: _, now, ...token } = command;
      if (state.tokens[token.tokenId] !== undefined) return [];
      if (token.uses < 1 || token.uses > usesPerToken) {
        throw new DomainError(
          'ENROLMENT_TOKEN_USES',
          `An enrolment token enrols 1 to ${usesPerToken} devices.`,
          { limit: usesPerToken },
        );
      }
      if (Object.keys(state.tokens).length >= rememberedTokens) {
        throw new DomainError(
          'ENROLMENT_TOKEN_LIMIT',
          `There are ${rememberedTokens} usable enrolment tokens. Revoke one first.`,
          {
            limit: rememberedTokens,
          },
        );
      }
      return [{ type: 'EnrolmentTokenCreated', data: { ...token, at: now } }];
    }
    case 'UseEnrolmentToken':
      return consumeToken(command, state);
    case 'RevokeEnrolmentToken': {
      const { tokenId, by, now } = command;
      return state.tokens[tokenId] === undefined
        ? []
        : [{ type: 'EnrolmentTokenRevoked', data: { tokenId, by, at: now } }];
    }
    case 'TrustSigner': {
      const { type: _, now, ...signer } = command;
      const known = state.signers[signer.keyId];
      if (known?.name === signer.name) return [];
      if (known === undefined && Object.keys(state.signers).length >= mostSigners) {
        throw new DomainError(
          'SIGNER_LIMIT',
          `${mostSigners} signers are trusted, which is the most. Stop trusting one first.`,
          { limit: mostSigners },
        );
      }
      return [{ type: 'SignerTrusted', data: { ...signer, at: now } }];
    }
    case 'DistrustSigner': {
      const { keyId, by, now } = command;
      return state.signers[keyId] === undefined
        ? []
        : [{ type: 'SignerDistrusted', data: { keyId, by, at: now } }];
    }
    default:
      return unreachable(command);
  }
};

const refuseOutOfBounds = (limits: LimitOverrides): void => {
  for (const [name, value] of Object.entries(limits) as [keyof typeof limitBounds, number][]) {
    const { floor, ceiling } = limitBounds[name];
    if (value < floor || value > ceiling || !Number.isInteger(value)) {
      throw new DomainError(
        'LIMIT_OUT_OF_BOUNDS',
        `${name} must be a whole number from ${floor} to ${ceiling}.`,
        { name, floor, ceiling },
      );
    }
  }
};

const consumeToken = (
  { tokenHash, deviceId, now }: Extract<SettingsCommand, { type: 'UseEnrolmentToken' }>,
  state: SettingsState,
): readonly SettingsEvent[] => {
  const token = Object.values(state.tokens).find((candidate) => candidate.tokenHash === tokenHash);
  if (token?.usedBy.includes(deviceId)) return [];
  // One answer for every reason: whoever tries tokens learns nothing.
  if (token === undefined || token.expiresAt <= now || token.usedBy.length >= token.uses) {
    throw new DomainError(
      'ENROLMENT_TOKEN_INVALID',
      'This enrolment token is unknown, expired or used up. Ask for a new one.',
    );
  }
  return [{ type: 'EnrolmentTokenUsed', data: { tokenId: token.tokenId, deviceId, at: now } }];
};

/**
 * Throws when the tenant's switches keep sessions away from this device. One that did not say what it is counts as a server
 * when it runs Linux, as in Defender, or a system with that name.
 */
export const refuseSwitchedOff = (
  { switches }: SettingsState,
  device: {
    readonly platform: string;
    readonly osVersion: string;
    readonly kind?: DeviceKind;
  },
): void => {
  if (!switches.liveResponse) {
    throw new DomainError(
      'LIVE_RESPONSE_OFF',
      'Live response is switched off for this tenant. An administrator can switch it on.',
    );
  }
  const kind = device.kind ?? presumedKind(device);
  if (kind === 'server' && !switches.servers) {
    throw new DomainError(
      'LIVE_RESPONSE_OFF',
      'Live response for servers is switched off for this tenant, and this device is one. An administrator can switch it on.',
    );
  }
};

const presumedKind = (device: { readonly platform: string; readonly osVersion: string }): DeviceKind =>
  device.platform === 'linux' || /\bserver\b/i.test(device.osVersion) ? 'server' : 'workstation';

export const settings: Decider<SettingsCommand, SettingsState, SettingsEvent> = {
  initialState,
  decide,
  evolve,
};

export const settingsFold: StreamFold<SettingsState> = {
  foldVersion: 2,
  initialState,
  evolve: (state, event: DomainEvent) => evolve(state, event as SettingsEvent),
};

export const settingsStream = (tenantId: string): string => `settings-${tenantId}`;
