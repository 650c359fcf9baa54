import type { Decider } from '../decider.ts';
import { unreachable } from '../decider.ts';
import { DomainError } from '../domainError.ts';
import type { DomainEvent } from '../envelope.ts';
import type { StreamFold } from '../eventStore.ts';
import { fixedLimits, type Limits } from '../limits.ts';
import type { SlotsEvent } from './events.ts';

export type { SlotsEvent } from './events.ts';

export interface SlotHolder {
  readonly sessionId: string;
  readonly deviceId: string;
  readonly userId: string;
  readonly epoch: number;
  readonly takenAt: string;
}

export interface SlotsState {
  readonly holders: Readonly<Record<string, SlotHolder>>;
  readonly lastEpoch: number;
}

export type SlotsCommand =
  | {
      readonly type: 'TakeSlot';
      readonly sessionId: string;
      readonly deviceId: string;
      readonly userId: string;
      readonly limits: Pick<Limits, 'openSessionsPerTenant' | 'openSessionsPerUser'>;
      readonly now: string;
    }
  | {
      readonly type: 'ReleaseSlot';
      readonly sessionId: string;
      readonly reason: string;
      readonly now: string;
    };

const initialState: SlotsState = { holders: {}, lastEpoch: 0 };

const evolve = (state: SlotsState, event: SlotsEvent): SlotsState => {
  switch (event.type) {
    case 'SlotTaken': {
      const { at, ...holder } = event.data;
      return {
        holders: { ...state.holders, [holder.sessionId]: { ...holder, takenAt: at } },
        lastEpoch: Math.max(state.lastEpoch, holder.epoch),
      };
    }
    case 'SlotReleased': {
      const { [event.data.sessionId]: _released, ...holders } = state.holders;
      return { ...state, holders };
    }
    default:
      return unreachable(event);
  }
};

const decide = (command: SlotsCommand, state: SlotsState): readonly SlotsEvent[] => {
  switch (command.type) {
    case 'TakeSlot':
      return takeSlot(command, state);
    case 'ReleaseSlot': {
      const { sessionId, reason, now } = command;
      return state.holders[sessionId] === undefined
        ? []
        : [{ type: 'SlotReleased', data: { sessionId, reason, at: now } }];
    }
    default:
      return unreachable(command);
  }
};

const takeSlot = (
  { sessionId, deviceId, userId, limits, now }: Extract<SlotsCommand, { type: 'TakeSlot' }>,
  state: SlotsState,
): readonly SlotsEvent[] => {
  if (state.holders[sessionId] !== undefined) return [];
  const holders = Object.values(state.holders);
  const onDevice = holders.filter((holder) => holder.deviceId === deviceId);
  const [holder] = onDevice;
  if (holder !== undefined && onDevice.length >= fixedLimits.sessionsPerDevice) {
    throw new DomainError(
      'DEVICE_SESSION_LIMIT',
      'Another session is open on this device. Ask its holder to end it, or wait until it ends.',
      { limit: fixedLimits.sessionsPerDevice, sessionId: holder.sessionId, userId: holder.userId },
    );
  }
  if (holders.length >= limits.openSessionsPerTenant) {
    throw new DomainError(
      'TENANT_SESSION_LIMIT',
      `${holders.length} sessions are open in this tenant, which is the limit. End one or wait until one ends.`,
      { limit: limits.openSessionsPerTenant },
    );
  }
  const own = holders.filter((other) => other.userId === userId).map((other) => other.sessionId);
  if (own.length >= limits.openSessionsPerUser) {
    throw new DomainError(
      'USER_SESSION_LIMIT',
      `You have ${own.length} open sessions, which is the limit for one user. End one of them.`,
      { limit: limits.openSessionsPerUser, sessionIds: own },
    );
  }
  return [{ type: 'SlotTaken', data: { sessionId, deviceId, userId, epoch: state.lastEpoch + 1, at: now } }];
};

/** Admission of sessions in one tenant: the only place that counts them. */
export const slots: Decider<SlotsCommand, SlotsState, SlotsEvent> = { initialState, decide, evolve };

export const slotsFold: StreamFold<SlotsState> = {
  foldVersion: 1,
  initialState,
  evolve: (state, event: DomainEvent) => evolve(state, event as SlotsEvent),
};

export const slotsStream = (tenantId: string): string => `slots-${tenantId}`;
