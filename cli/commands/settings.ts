import { type GlobalOptions, type JsonOption, openClient } from '../context.ts';
import { exitCodes } from '../exitCodes.ts';
import { cellOf } from '../output/cells.ts';
import { printJson, printTable } from '../terminal/screen.ts';

/** The tenant's limits and switches. */
export const settings = async (options: GlobalOptions & JsonOption): Promise<number> => {
  const { client } = await openClient(options);
  const { limits, switches } = await client.settings();
  if (options.json) {
    printJson({ limits, switches });
    return exitCodes.completed;
  }
  printTable(
    [{ title: 'Setting' }, { title: 'Value', numeric: true }],
    [...Object.entries(limits), ...Object.entries(switches)].map(([name, value]) => [
      cellOf(name),
      typeof value === 'boolean' ? (value ? 'on' : 'off') : cellOf(value),
    ]),
    'No settings.',
    options,
  );
  return exitCodes.completed;
};
