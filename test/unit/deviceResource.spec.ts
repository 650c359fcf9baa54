import { expect, it } from 'vitest';
import type { DeviceRow } from '../../domain/views/index.ts';
import type { Presence } from '../../functions/adapters/presence.ts';
import { withLastSeen } from '../../functions/http/listDevices.ts';

const presence: Pick<Presence, 'lastSeen'> = { lastSeen: () => Promise.resolve(null) };
const services = { presence: presence as Presence };
/** As a row was written before devices said what they are. */
const row: DeviceRow = {
  deviceId: 'd1',
  name: 'web',
  platform: 'linux',
  osVersion: 'Debian 12',
  agentVersion: '0.1.0',
  status: 'enrolled',
  enrolledAt: '2026-11-24T00:00:00.000Z',
  retiredAt: null,
};

it('shows rows from before the kind of a device was asked for, and those after', async () => {
  expect(await withLastSeen(services, 't1', row)).toMatchObject({ deviceId: 'd1', kind: null });
  expect(await withLastSeen(services, 't1', { ...row, kind: 'server' })).toMatchObject({ kind: 'server' });
});
