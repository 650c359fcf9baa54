import type { DeviceEvent, DeviceKind } from '../device/events.ts';
import type { EventEnvelope } from '../envelope.ts';
import type { View } from './view.ts';

/** One row per device. When it was last seen is not derivable from events: it lives in the presence container. */
export interface DeviceRow {
  readonly deviceId: string;
  readonly name: string;
  readonly platform: string;
  /** Lacking in rows from before it was asked for, null when the device did not say: both mean that nobody knows. */
  readonly kind?: DeviceKind | null;
  readonly osVersion: string;
  readonly agentVersion: string;
  readonly status: 'enrolled' | 'retired';
  readonly enrolledAt: string;
  readonly retiredAt: string | null;
}

export const deviceView: View<DeviceRow> = {
  name: 'deviceView-v1',
  concerns: (streamId) => streamId.startsWith('device-'),
  keyOf: ({ streamId }) => streamId.slice('device-'.length),
  partition: (tenantId) => `${tenantId}|deviceView-v1`,
  sortKey: (row) => `${row.name}|${row.deviceId}`,
  apply: (row, envelope) => fold(row, envelope),
};

const fold = (row: DeviceRow | undefined, envelope: EventEnvelope): DeviceRow => {
  const event = { type: envelope.type, data: envelope.data } as DeviceEvent;
  if (event.type === 'DeviceEnrolled') {
    const { deviceId, name, platform, kind = null, osVersion, agentVersion, at } = event.data;
    return {
      deviceId,
      name,
      platform,
      kind,
      osVersion,
      agentVersion,
      status: 'enrolled',
      enrolledAt: at,
      retiredAt: null,
    };
  }
  if (row === undefined)
    throw new Error(
      `${envelope.streamId}@${envelope.version}: ${envelope.type} about a device that was never enrolled`,
    );
  return event.type === 'DeviceRetired' ? { ...row, status: 'retired', retiredAt: event.data.at } : row;
};
