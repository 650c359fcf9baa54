import type { DeviceResource } from '../../contracts/http.ts';
import { type DeviceRow, deviceView } from '../../domain/views/index.ts';
import type { Services } from '../services.ts';
import { json, numberFromQuery, type Route, signedIn } from './route.ts';

/** Devices of the tenant by name, last name first. A view: it may be moments behind. */
export const listDevices = (services: Services): Route => ({
  name: 'listDevices',
  method: 'GET',
  path: 'devices',
  handle: signedIn(services.tokens, ['Devices.Read'], async ({ request, caller }) => {
    const limit = numberFromQuery(request, 'limit', { least: 1, most: 200, otherwise: 100 });
    const { rows, next } = await services.views.list(deviceView, caller.tenantId, '', {
      before: request.query.get('before'),
      limit,
    });
    const devices = await Promise.all(rows.map((row) => withLastSeen(services, caller.tenantId, row)));
    return json(200, { devices, next });
  }),
});

export const withLastSeen = async (
  services: Pick<Services, 'presence'>,
  tenantId: string,
  row: DeviceRow,
): Promise<DeviceResource> => ({
  ...row,
  platform: row.platform as DeviceResource['platform'],
  kind: row.kind ?? null,
  lastSeen: await services.presence.lastSeen(tenantId, row.deviceId),
});
