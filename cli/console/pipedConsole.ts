import { createInterface } from 'node:readline';
import type { LiveResponseClient } from '../../sdk/index.ts';
import { exitCodeOf, exitCodes } from '../exitCodes.ts';
import type { LiveSession } from '../session/liveSession.ts';
import { sessionEndText } from '../session/say.ts';
import { notice } from '../terminal/screen.ts';
import type { CommandView } from './commandView.ts';
import { isLeaving, type LineRunnerOptions, refusedExitCode, runLine } from './lineRunner.ts';
import { ShownOutput } from './shownOutput.ts';

/** Runs the lines of stdin one after the other, waits for what is in the background, and gives the worst exit code. */
export const runPipedLines = async (
  client: LiveResponseClient,
  session: LiveSession,
  cut: boolean,
): Promise<number> => {
  let worst: number = exitCodes.completed;
  const views: CommandView[] = [];
  let raised: CommandView | undefined;
  const screen = { between: (show: () => void) => show(), say: notice };
  const options: LineRunnerOptions = {
    client,
    session,
    screen,
    shown: new ShownOutput(),
    tables: { cut },
    onForeground: (view: CommandView) => {
      raised = view;
    },
  };
  for await (const line of linesFromPipe(session)) {
    if (session.end !== undefined || session.fault !== undefined) break;
    const outcome = await runLine(line, options);
    if (outcome.kind === 'leave') break;
    worst = Math.max(worst, refusedExitCode(outcome));
    if (outcome.kind !== 'issued') continue;
    views.push(outcome.view);
    if (!outcome.view.command.background) await outcome.view.released;
    // `fg` has ended by now and another command is in its place.
    if (raised !== undefined) await raised.released;
    raised = undefined;
  }
  await Promise.all(views.map((view) => view.command.ended));
  if (session.fault !== undefined) throw session.fault;
  for (const { command } of views) worst = Math.max(worst, exitCodeOf(command));
  if (session.end !== undefined) {
    notice(sessionEndText(session.end));
    worst = Math.max(worst, exitCodes.lost);
  }
  return worst;
};

const linesFromPipe = (session: LiveSession): AsyncIterable<string> => {
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  // A pipe may stay open and silent for longer than the session lives.
  const stop = () => lines.close();
  session.settled.then(stop, stop);
  return lines;
};

/** The lines of stdin that are the server's to answer, until one of them leaves. */
export async function* commandsFromPipe(session: LiveSession): AsyncGenerator<string, void, undefined> {
  for await (const typed of linesFromPipe(session)) {
    const line = typed.trim();
    if (isLeaving(line)) return;
    if (line !== '' && line.toLowerCase() !== 'cls') yield line;
  }
}
