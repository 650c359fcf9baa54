import { type GlobalOptions, type JsonOption, openClient } from '../context.ts';
import { exitCodes } from '../exitCodes.ts';
import { cellOf } from '../output/cells.ts';
import { printJson, printTable } from '../terminal/screen.ts';
import { shownTime } from '../terminal/units.ts';

/** One JSON object per file with `--json`. */
export const files = async (sessionId: string, options: GlobalOptions & JsonOption): Promise<number> => {
  const { client } = await openClient(options);
  const found = await client.files(sessionId);
  if (options.json) {
    for (const file of found) printJson(file);
    return exitCodes.completed;
  }
  printTable(
    [
      { title: 'File' },
      { title: 'Name' },
      { title: 'Size', numeric: true },
      { title: 'SHA-256' },
      { title: 'Collected' },
      { title: 'Path' },
    ],
    found.map(({ fileId, name, size, sha256, collectedAt, path }) =>
      [fileId, name, size, sha256, shownTime(collectedAt), path].map(cellOf),
    ),
    'This session has collected no files.',
    options,
  );
  return exitCodes.completed;
};
