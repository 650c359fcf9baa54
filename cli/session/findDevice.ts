import type { DeviceResource, LiveResponseClient } from '../../sdk/index.ts';
import { exitCodes } from '../exitCodes.ts';
import { Failure } from '../failure.ts';
import { shownInLine } from '../terminal/neutralise.ts';

/** The device with this id or name, else the only enrolled one whose name or id begins so. */
export const findDevice = async (client: LiveResponseClient, wanted: string): Promise<DeviceResource> => {
  const text = wanted.toLowerCase();
  const named: DeviceResource[] = [];
  const begun: DeviceResource[] = [];
  for await (const device of client.devices()) {
    if (device.deviceId === wanted) return device;
    if (device.status !== 'enrolled') continue;
    const name = device.name.toLowerCase();
    if (name === text) named.push(device);
    else if (name.startsWith(text) || device.deviceId.startsWith(text)) begun.push(device);
  }
  const [only, ...others] = named.length > 0 ? named : begun;
  if (only === undefined) {
    throw new Failure(
      exitCodes.refused,
      'DEVICE_UNKNOWN',
      `No device has the id or name "${shownInLine(wanted)}", or one that begins so.`,
      'See which there are: lr devices',
    );
  }
  if (others.length === 0) return only;
  const some = [only, ...others]
    .slice(0, 5)
    .map(({ name, deviceId }) => `${shownInLine(name)} (${deviceId})`);
  throw new Failure(
    exitCodes.refused,
    'DEVICE_AMBIGUOUS',
    `"${shownInLine(wanted)}" could be ${others.length + 1} devices: ${some.join(', ')}${others.length >= 5 ? ', …' : ''}.`,
    'Give the whole name or the id.',
  );
};
