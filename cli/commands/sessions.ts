import type { SessionSummary } from '../../sdk/index.ts';
import { type GlobalOptions, type JsonOption, openClient } from '../context.ts';
import { exitCodes } from '../exitCodes.ts';
import { cellOf } from '../output/cells.ts';
import { printJson, printTable } from '../terminal/screen.ts';
import { shownTime } from '../terminal/units.ts';

export interface SessionsOptions extends GlobalOptions, JsonOption {
  readonly status?: SessionSummary['status'];
}

/** One JSON object per session with `--json`. */
export const sessions = async (options: SessionsOptions): Promise<number> => {
  const { client } = await openClient(options);
  const found: SessionSummary[] = [];
  for await (const session of client.sessions({ status: options.status })) found.push(session);
  if (options.json) {
    for (const session of found) printJson(session);
    return exitCodes.completed;
  }
  printTable(
    [
      { title: 'Session' },
      { title: 'Status' },
      { title: 'Device' },
      { title: 'By' },
      { title: 'Requested' },
      { title: 'Ended' },
      { title: 'Commands', numeric: true },
      { title: 'Files', numeric: true },
      { title: 'Reason' },
    ],
    found.map((session) =>
      [
        session.sessionId,
        session.end === null ? session.status : `${session.status} (${session.end})`,
        session.hostName ?? session.deviceId,
        session.userName,
        shownTime(session.requestedAt),
        shownTime(session.endedAt),
        session.commands,
        session.files,
        session.reason,
      ].map(cellOf),
    ),
    'No sessions.',
    options,
  );
  return exitCodes.completed;
};
