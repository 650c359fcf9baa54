import { type GlobalOptions, type JsonOption, openClient } from '../context.ts';
import { exitCodeOf, exitCodes } from '../exitCodes.ts';
import { reportOf } from '../failure.ts';
import { CollectedOutput } from '../output/collectedOutput.ts';
import { createOutputWriter, type OutputPage } from '../output/outputWriter.ts';
import { findDevice } from '../session/findDevice.ts';
import { leaveSession } from '../session/leaveSession.ts';
import { LiveSession } from '../session/liveSession.ts';
import { sayConnected, sayEnd, sayFile } from '../session/say.ts';
import { type CommandListener, isEnded, type TrackedCommand } from '../session/trackedCommand.ts';
import { shownInLine } from '../terminal/neutralise.ts';
import { notice, printJson, screenWidth, styled } from '../terminal/screen.ts';
import { withSpinner } from '../terminal/spinner.ts';

export interface RunOptions extends GlobalOptions, JsonOption {
  readonly reason: string;
}

/** Runs the lines one after the other in a session of their own. A line that ends with & is waited for at the end. */
export const run = async (
  device: string,
  lines: readonly string[] | ((session: LiveSession) => AsyncIterable<string>),
  options: RunOptions,
): Promise<number> => {
  const { client } = await openClient(options);
  const { deviceId, name } = await findDevice(client, device);
  const session = await LiveSession.open(client, deviceId, options.reason);
  const stop = stopOnSignals(session);
  try {
    await withSpinner(`Connecting to ${shownInLine(name)}`, Promise.race([session.connected, stop.asked]));
    if (stop.isAsked()) return exitCodes.stopped;
    if (!options.json) sayConnected(session);
    return await runLines(session, typeof lines === 'function' ? lines(session) : lines, options, stop);
  } finally {
    stop.forget();
    await leaveSession(session);
  }
};

const runLines = async (
  session: LiveSession,
  lines: Iterable<string> | AsyncIterable<string>,
  { json = false, cut = false }: RunOptions,
  stop: Stop,
): Promise<number> => {
  let worst: number = exitCodes.completed;
  const runs: Promise<void>[] = [];
  for await (const line of lines) {
    if (stop.isAsked() || session.end !== undefined) {
      worst = Math.max(worst, stop.isAsked() ? exitCodes.stopped : exitCodes.lost);
      notice(`Not run any more: ${shownInLine(line)}`);
      continue;
    }
    try {
      const output = json ? collected(line) : shown(session.sessionId, cut);
      const command = await session.issue(line, output.listen);
      const ended = command.ended.then(() => {
        output.finish(command);
        worst = Math.max(worst, exitCodeOf(command));
      });
      runs.push(ended);
      if (!command.background) await ended;
    } catch (error) {
      const report = reportOf(error);
      if (report === undefined) throw error;
      worst = Math.max(worst, report.exitCode);
      sayRefused(line, report, json);
    }
  }
  await Promise.all(runs);
  if (session.fault !== undefined) throw session.fault;
  return worst;
};

/** What becomes of one command's output. */
interface Output {
  readonly listen: (command: TrackedCommand) => CommandListener;
  readonly finish: (command: TrackedCommand) => void;
}

const nothing = () => {};

const shown = (sessionId: string, cut: boolean): Output => ({
  listen: (command) => {
    const page: OutputPage = {
      write: (text) => void process.stdout.write(text),
      writeError: (text) => void process.stderr.write(text),
      width: screenWidth(),
      cut,
      titleStyle: (text) => styled('bold', text),
    };
    const writer = createOutputWriter(command, page);
    return {
      output: writer.write,
      file: (file) => sayFile(file, `lr download ${sessionId}`),
      ended: writer.end,
      sentToBackground: nothing,
      broughtToForeground: nothing,
    };
  },
  finish: (command) => sayEnd(command),
});

const collected = (line: string): Output => {
  const output = new CollectedOutput();
  return {
    listen: (command) => ({
      output: (stream, bytes) => output.add(command.name, stream, bytes),
      file: nothing,
      ended: nothing,
      sentToBackground: nothing,
      broughtToForeground: nothing,
    }),
    finish: (command) => {
      const { commandId, exitCode, duration, error, files } = command;
      const state = isEnded(command) ? command.state : 'Lost';
      printJson({ line, commandId, state, exitCode, duration, error, ...output.output(command.name), files });
    },
  };
};

const sayRefused = (line: string, report: NonNullable<ReturnType<typeof reportOf>>, json: boolean): void => {
  const { code, message, next } = report;
  if (json) {
    return printJson({ line, state: 'Refused', exitCode: null, error: { code, message, next }, files: [] });
  }
  notice(`Refused: ${shownInLine(line)}\n${shownInLine(message)}${next === undefined ? '' : `\n${next}`}`);
};

interface Stop {
  readonly asked: Promise<void>;
  isAsked(): boolean;
  forget(): void;
}

/** The first signal cancels on the device and lets the commands end; a second one does not wait for them. */
const stopOnSignals = (session: LiveSession): Stop => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let isAsked = false;
  const onSignal = () => {
    if (isAsked) {
      notice('Leaving without waiting.');
      void leaveSession(session).finally(() => process.exit(exitCodes.stopped));
      return;
    }
    isAsked = true;
    resolve();
    notice('Stopping: cancelling what runs on the device. Once more to leave without waiting.');
    for (const command of session.openCommands) {
      session
        .cancel(command)
        .catch((error: unknown) => notice(`Not cancelled: ${shownInLine(String(error))}`));
    }
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    asked: promise,
    isAsked: () => isAsked,
    forget: () => {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
};
