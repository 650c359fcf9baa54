import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DeviceKind } from '../../../contracts/device.ts';

/** SMBIOS: portable, laptop, notebook, hand-held, sub-notebook, tablet, convertible, detachable. */
const portable = new Set([8, 9, 10, 11, 14, 30, 31, 32]);
/** SMBIOS: main server chassis, rack mount, blade, blade enclosure. */
const rack = new Set([17, 23, 28, 29]);

const containerMarks = ['.dockerenv', 'run/.containerenv', 'run/systemd/container'];

/**
 * What the chassis does not tell (towers stand on desks and in cellars, a virtual machine is anything) the desktop does: with
 * a display manager somebody signs in at a screen. The default target says less: Debian and Ubuntu servers have the graphical one.
 *
 * @param root folder that stands for `/`
 */
export const linuxDeviceKind = (root = '/'): DeviceKind => {
  if (containerMarks.some((mark) => existsSync(join(root, mark)))) return 'server';
  const chassis = chassisType(join(root, 'sys/class/dmi/id/chassis_type'));
  if (rack.has(chassis)) return 'server';
  if (portable.has(chassis)) return 'workstation';
  return isThere(join(root, 'etc/systemd/system/display-manager.service')) ? 'workstation' : 'server';
};

/** 0 where there is none, as on many ARM machines. */
const chassisType = (path: string): number => {
  try {
    return Number.parseInt(readFileSync(path, 'utf8'), 10);
  } catch {
    return 0;
  }
};

/** Also for a link whose target is not there: `systemctl enable` made it, and that is the answer. */
const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;
