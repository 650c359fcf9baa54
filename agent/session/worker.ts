import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startsTracing } from '../../domain/catalogue/index.ts';
import { workFolderOf } from '../library/folders.ts';
import { followLog, logDetail, reasonOf } from '../log.ts';
import { trustAuthorities } from '../settings/authorities.ts';
import type {
  FromExecutor,
  FromWorker,
  ProcessSettings,
  RunCommand,
  ToExecutor,
  ToTrace,
  ToWorker,
  WorkerEnd,
} from './messages.ts';
import { endProcesses, identify, markerVariable, type ProcessIdentity } from './processTree.ts';
import { programArguments } from './programArguments.ts';
import { RunningCommand } from './runningCommand.ts';
import { openScriptStreams, type ScriptStreams } from './scriptStreams.ts';

interface Waiting {
  readonly child: ChildProcess;
  readonly executor: ProcessIdentity;
}

/** The next executor is started this long after a command began, or when it ended. */
const refillMs = 50;
/** Executors that are kept ready for commands to come. */
const mostWaiting = 2;
/** Before the first failed start is repeated. */
const respawnMs = 500;

/**
 * The process of one live session: keeps an executor ready, gives each command one to itself, and keeps time limits. Ends
 * with everything it started when the service is gone.
 */
export const runWorker = (): void => {
  const waiting = new Map<string, Waiting>();
  const running = new Map<string, RunningCommand>();
  /** How to tell each command that follows the log something. */
  const tracing = new Map<string, (message: ToTrace) => void>();
  const starting = new Set<string>();
  const all = new Map<string, ProcessIdentity>();
  let settings: ProcessSettings = { caFile: null, witness: null, stateDirectory: '' };
  let isEnding = false;

  const tell = (message: FromWorker): void => {
    process.send?.(message, undefined, {}, () => undefined);
  };

  const startExecutor = (): void => {
    if (isEnding) return;
    const marker = randomBytes(16).toString('hex');
    const child = spawn(process.execPath, [...programArguments(), 'executor'], {
      // A process group of its own; Windows has none, and would give it a console of its own.
      detached: process.platform !== 'win32',
      windowsHide: true,
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      env: {
        PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
        LANG: process.env['LANG'] ?? 'C.UTF-8',
        [markerVariable]: marker,
      },
    });
    child.on('error', () => undefined);
    const executor = child.pid === undefined ? undefined : identify(child.pid, marker);
    if (executor === undefined) {
      setTimeout(startExecutor, respawnMs);
      return;
    }
    all.set(marker, executor);
    starting.add(marker);
    child.once('message', (message: FromExecutor) => {
      if (message.type !== 'ready') return;
      starting.delete(marker);
      waiting.set(marker, { child, executor });
      logDetail(`process ${executor.pid} waits for a command`);
      tell({ type: 'executor', executor });
    });
    child.once('exit', (code, signal) => {
      logDetail(`process ${executor.pid} ended (${signal ?? `exit code ${code}`})`);
      all.delete(marker);
      starting.delete(marker);
      if (waiting.delete(marker)) tell({ type: 'executor-gone', marker });
      setTimeout(ensureWaiting, respawnMs);
    });
  };
  const ensureWaiting = (): void => {
    if (waiting.size === 0 && starting.size === 0) startExecutor();
  };

  /** A free executor waits again; more than a few are not kept. */
  const takeBack = (marker: string, free: Waiting): void => {
    const hasEnded = free.child.exitCode !== null || free.child.signalCode !== null;
    if (hasEnded) return;
    if (waiting.size >= mostWaiting) {
      free.child.kill('SIGKILL');
      return;
    }
    waiting.set(marker, free);
    tell({ type: 'executor', executor: free.executor });
  };

  const openStore = async (url: string, ticket: string) => {
    const { AppendUpload } = await import('../transport/appendUpload.ts');
    return new AppendUpload(url, ticket);
  };

  const run = (order: RunCommand): void => {
    const ready = waiting.get(order.marker);
    if (ready === undefined) {
      tell({ type: 'ended', end: neverRan(order.commandId, executorDied) });
      return;
    }
    let script: ScriptStreams | undefined;
    if (order.body.name === 'run') {
      try {
        script = openScriptStreams(workFolderOf(settings.stateDirectory), order.commandId);
      } catch (error) {
        tell({ type: 'ended', end: neverRan(order.commandId, noPipes(error)) });
        tell({ type: 'executor', executor: ready.executor });
        return;
      }
    }
    waiting.delete(order.marker);
    const { type: _, marker: __, ...rest } = order;
    const command = new RunningCommand(order, ready.child, ready.executor, openStore, tell, script);
    const hear = (message: FromExecutor): void => command.heard(message);
    ready.child.on('message', hear);
    ready.child.send(
      { type: 'execute', ...settings, ...rest, scriptStreams: script?.paths ?? null } satisfies ToExecutor,
      () => undefined,
    );
    running.set(order.commandId, command);
    logDetail(`command ${order.commandId} (${order.body.name}) runs in process ${ready.executor.pid}`);
    if (order.body.name === 'trace' && !startsTracing(order.body)) {
      for (const tellTrace of tracing.values()) tellTrace({ type: 'trace-off' });
    }
    const stopTrace = startsTracing(order.body) ? trace(order.commandId, ready.child) : () => undefined;
    void command.done
      .then((isFree) => {
        ready.child.off('message', hear);
        if (isFree) takeBack(order.marker, ready);
      })
      .finally(() => {
        stopTrace();
        // What a command that was ended left half.
        if (order.body.libraryFile !== undefined) {
          rmSync(join(workFolderOf(settings.stateDirectory), order.commandId), { force: true });
        }
        running.delete(order.commandId);
        ensureWaiting();
      });
    // Starting the next process at once would slow down a command that is done in a moment.
    setTimeout(ensureWaiting, refillMs);
  };

  const trace = (commandId: string, child: ChildProcess): (() => void) => {
    const tellTrace = (message: ToTrace): void => {
      if (child.connected) child.send(message, () => undefined);
    };
    tracing.set(commandId, tellTrace);
    const unfollow = followLog((line) =>
      tellTrace({ type: 'trace-line', line: { ...line, source: 'worker' } }),
    );
    return () => {
      unfollow();
      tracing.delete(commandId);
    };
  };

  process.on('message', (message: ToWorker) => {
    switch (message.type) {
      case 'settings':
        settings = {
          caFile: message.caFile,
          witness: message.witness,
          stateDirectory: message.stateDirectory,
        };
        if (settings.caFile !== null) trustAuthorities(settings.caFile);
        startExecutor();
        break;
      case 'run':
        run(message);
        break;
      case 'cancel':
        logDetail(`command ${message.commandId} is to be cancelled`);
        running.get(message.commandId)?.cancel();
        break;
      case 'trace-line':
        for (const tellTrace of tracing.values()) tellTrace(message);
        break;
    }
  });
  // Whoever stops the whole service signals all its processes; the service says what is to end, and in which order.
  process.on('SIGTERM', () => undefined).on('SIGINT', () => undefined);
  process.once('disconnect', () => {
    isEnding = true;
    void Promise.all([...all.values()].map((executor) => endProcesses(executor, 0))).finally(() =>
      process.exit(0),
    );
  });
};

type Failure = NonNullable<WorkerEnd['error']>;

/** The executor died between the last word about it and this command: it is certain that nothing ran. */
const executorDied: Failure = {
  code: 'EXECUTOR_DIED',
  message:
    'The process that was to run the command died before it got it. The command did not run. Try again.',
};

const noPipes = (error: unknown): Failure => ({
  code: 'SYSTEM_ERROR',
  message: `The pipes for the output of the script cannot be made (${reasonOf(error)}). The script did not run.`,
});

const neverRan = (commandId: string, error: Failure): WorkerEnd => ({
  commandId,
  state: 'Failed',
  startedAt: null,
  output: [],
  cancelReached: false,
  exitCode: null,
  duration: 0,
  error,
  directory: null,
  processesGone: null,
  files: [],
});
