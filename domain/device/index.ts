import type { Decider } from '../decider.ts';
import { unreachable } from '../decider.ts';
import { DomainError } from '../domainError.ts';
import type { DomainEvent } from '../envelope.ts';
import type { StreamFold } from '../eventStore.ts';
import type { DeviceEvent } from './events.ts';

export { type DeviceEvent, type DeviceKind, deviceKinds } from './events.ts';

type Enrolment = Extract<DeviceEvent, { type: 'DeviceEnrolled' }>['data'];

export type DeviceState =
  | { readonly status: 'unknown' }
  | ({
      readonly status: 'enrolled' | 'retired';
      readonly enrolledAt: string;
      readonly retiredAt: string | null;
    } & Omit<Enrolment, 'at'>);

export type DeviceCommand =
  | ({ readonly type: 'EnrolDevice'; readonly now: string } & Omit<Enrolment, 'at'>)
  | { readonly type: 'RetireDevice'; readonly by: string; readonly reason: string; readonly now: string };

const initialState: DeviceState = { status: 'unknown' };

const evolve = (state: DeviceState, event: DeviceEvent): DeviceState => {
  switch (event.type) {
    case 'DeviceEnrolled': {
      const { at, ...enrolment } = event.data;
      return { status: 'enrolled', enrolledAt: at, retiredAt: null, ...enrolment };
    }
    case 'DeviceRetired':
      return state.status === 'unknown' ? state : { ...state, status: 'retired', retiredAt: event.data.at };
    default:
      return unreachable(event);
  }
};

const decide = (command: DeviceCommand, state: DeviceState): readonly DeviceEvent[] => {
  switch (command.type) {
    case 'EnrolDevice': {
      const { type: _, now, ...enrolment } = command;
      if (state.status === 'unknown') return [{ type: 'DeviceEnrolled', data: { ...enrolment, at: now } }];
      if (state.status === 'retired') {
        throw new DomainError('DEVICE_RETIRED', 'This device was retired. Remove its key and enrol it anew.');
      }
      // The id follows from the key, so this is the same device asking again after an answer that it never saw.
      return [];
    }
    case 'RetireDevice': {
      if (state.status === 'unknown') throw new DomainError('DEVICE_UNKNOWN', 'There is no such device.');
      const { by, reason, now } = command;
      return state.status === 'retired'
        ? []
        : [{ type: 'DeviceRetired', data: { deviceId: state.deviceId, by, reason, at: now } }];
    }
    default:
      return unreachable(command);
  }
};

export const device: Decider<DeviceCommand, DeviceState, DeviceEvent> = { initialState, decide, evolve };

export const deviceFold: StreamFold<DeviceState> = {
  foldVersion: 2,
  initialState,
  evolve: (state, event: DomainEvent) => evolve(state, event as DeviceEvent),
};

export const deviceStream = (deviceId: string): string => `device-${deviceId}`;
