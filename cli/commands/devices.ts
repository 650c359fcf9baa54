import type { DeviceResource } from '../../sdk/index.ts';
import { type GlobalOptions, type JsonOption, openClient } from '../context.ts';
import { exitCodes } from '../exitCodes.ts';
import { cellOf } from '../output/cells.ts';
import { printJson, printTable } from '../terminal/screen.ts';
import { shownTime } from '../terminal/units.ts';

/** One JSON object per device with `--json`. */
export const devices = async (options: GlobalOptions & JsonOption): Promise<number> => {
  const { client } = await openClient(options);
  const found: DeviceResource[] = [];
  for await (const device of client.devices()) found.push(device);
  if (options.json) {
    for (const device of found) printJson(device);
    return exitCodes.completed;
  }
  printTable(
    ['Name', 'Platform', 'Kind', 'OS', 'Agent', 'Status', 'Last seen', 'Id'].map((title) => ({ title })),
    found.map(({ name, platform, kind, osVersion, agentVersion, status, lastSeen, deviceId }) =>
      [name, platform, kind ?? '', osVersion, agentVersion, status, shownTime(lastSeen), deviceId].map(
        cellOf,
      ),
    ),
    'No devices are enrolled. Make a token for one: lr enrolment-token',
    options,
  );
  return exitCodes.completed;
};
