import { open } from 'node:fs/promises';
import type { ChainFault } from '../../evidence/hashChain.ts';
import type { Envelope } from '../../sdk/index.ts';
import { type GlobalOptions, type JsonOption, openClient } from '../context.ts';
import { exitCodes } from '../exitCodes.ts';
import { Failure } from '../failure.ts';
import { describeEvent } from '../history/describeEvent.ts';
import { historyFaults } from '../history/verifyHistory.ts';
import { cellOf } from '../output/cells.ts';
import { notice, printJson, printTable, styled } from '../terminal/screen.ts';
import { shownTime } from '../terminal/units.ts';

export interface HistoryOptions extends GlobalOptions, JsonOption {
  readonly export?: string;
}

/** All events of a session in order, and whether their chain holds. With `--json` one object. */
export const history = async (sessionId: string, options: HistoryOptions): Promise<number> => {
  const { client } = await openClient(options);
  // Read first: the events that are read afterwards must reach at least as far.
  const { version } = await client.session(sessionId);
  const events: Envelope[] = [];
  for await (const event of client.recordedEvents(sessionId)) events.push(event);
  if (options.export !== undefined) await exportTo(options.export, events);
  const faults = historyFaults(sessionId, events, version);
  if (options.json) {
    printJson({ sessionId, chain: { intact: faults.length === 0, faults }, events });
  } else {
    printEvents(events, options);
    sayVerdict(events.length, faults);
  }
  return faults.length === 0 ? exitCodes.completed : exitCodes.brokenHistory;
};

const printEvents = (events: readonly Envelope[], options: GlobalOptions): void =>
  printTable(
    [
      { title: 'Version', numeric: true },
      { title: 'Time' },
      { title: 'Type' },
      { title: 'Actor' },
      { title: 'What' },
    ],
    events.map((event) => [
      cellOf(event.version),
      shownTime(cellOf(event.metadata.recordedAt)),
      cellOf(event.type),
      cellOf(event.metadata.actor.name),
      describeEvent(event),
    ]),
    'The session has no events.',
    options,
  );

const sayVerdict = (count: number, faults: readonly ChainFault[]): void => {
  if (faults.length === 0) {
    return notice(
      styled(
        'green',
        `The chain of ${count} events holds: none was changed, moved or left out.`,
        process.stderr,
      ),
    );
  }
  notice(styled('red', 'The chain is BROKEN: this history is not what was recorded.', process.stderr));
  for (const { version, fault } of faults)
    notice(styled('red', `  Event ${version} ${fault}.`, process.stderr));
  notice('Keep this output, export the events with --export, and tell those who guard the evidence.');
};

/** JSON lines, one event each, as the server sent it. */
const exportTo = async (path: string, events: readonly Envelope[]): Promise<void> => {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (error) {
    throw new Failure(
      exitCodes.refused,
      'EXPORT_REFUSED',
      (error as NodeJS.ErrnoException).code === 'EEXIST'
        ? `${path} is already there and is not overwritten.`
        : `${path} cannot be written: ${(error as Error).message}`,
      'Choose another name.',
    );
  }
  try {
    for (const event of events) await file.write(`${JSON.stringify(event)}\n`);
  } finally {
    await file.close();
  }
  notice(`Exported ${events.length} events to ${path}.`);
};
