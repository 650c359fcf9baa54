import type { DeviceKind } from '../../contracts/device.ts';
import { linuxDeviceKind } from './linux/deviceKind.ts';
import { windowsDeviceKind } from './windows/deviceKind.ts';

/** Whether this device is a workstation or a server; null when it cannot be told. */
export const deviceKind = (): DeviceKind | null => {
  switch (process.platform) {
    case 'linux':
      return linuxDeviceKind();
    case 'win32':
      return windowsDeviceKind();
    case 'darwin':
      return 'workstation';
    default:
      return null;
  }
};
