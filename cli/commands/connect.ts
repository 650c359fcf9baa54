import { InteractiveConsole } from '../console/interactiveConsole.ts';
import { historyFile, LineHistory } from '../console/lineHistory.ts';
import { commandsFromPipe, runPipedLines } from '../console/pipedConsole.ts';
import { type GlobalOptions, type JsonOption, openClient } from '../context.ts';
import { exitCodes } from '../exitCodes.ts';
import { Failure } from '../failure.ts';
import { findDevice } from '../session/findDevice.ts';
import { leaveSession } from '../session/leaveSession.ts';
import { LiveSession } from '../session/liveSession.ts';
import { sayConnected } from '../session/say.ts';
import { shownInLine } from '../terminal/neutralise.ts';
import { notice } from '../terminal/screen.ts';
import { withSpinner } from '../terminal/spinner.ts';
import { run } from './run.ts';

export interface ConnectOptions extends GlobalOptions, JsonOption {
  readonly reason: string;
}

/** A console on the device: interactive on a terminal, line by line from a pipe. Always disconnects at the end. */
export const connect = async (device: string, options: ConnectOptions): Promise<number> => {
  if (options.json === true) return runAsJson(device, options);
  const { client, selected } = await openClient(options);
  const cut = options.cut === true;
  const { deviceId, name } = await findDevice(client, device);
  const session = await LiveSession.open(client, deviceId, options.reason);
  const forget = leaveOnSignals(session);
  try {
    await withSpinner(`Connecting to ${shownInLine(name)}`, session.connected);
    sayConnected(session);
    if (!process.stdin.isTTY || !process.stdout.isTTY) return await runPipedLines(client, session, cut);
    notice('help lists the commands, Tab completes, Ctrl+R searches. Ctrl+C cancels, Ctrl+D leaves.');
    const history = new LineHistory(historyFile(selected));
    return await new InteractiveConsole({ client, session, deviceName: name, history, cut }).run();
  } finally {
    forget();
    await leaveSession(session);
  }
};

/** One object per command of a pipe, like `run --json`. A person at a terminal has no use for it. */
const runAsJson = (device: string, options: ConnectOptions): Promise<number> => {
  if (process.stdin.isTTY) {
    throw new Failure(
      exitCodes.usage,
      'JSON_NEEDS_PIPE',
      'connect --json takes its lines from a pipe, and this is a terminal.',
      'Pipe lines into it, or use lr run DEVICE LINE… --json. In the console, -output json shows one command so.',
    );
  }
  return run(device, commandsFromPipe, options);
};

/** On a terminal Ctrl+C is a key once the prompt is there; before that, and from a pipe, it is a signal. */
const leaveOnSignals = (session: LiveSession): (() => void) => {
  const leave = () => {
    notice('Disconnecting.');
    void leaveSession(session).finally(() => process.exit(exitCodes.stopped));
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, leave);
  return () => {
    for (const signal of signals) process.off(signal, leave);
  };
};
