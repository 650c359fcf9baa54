import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import type { EndedBody, SessionMessage } from '../../contracts/device.ts';
import { startsTracing } from '../../domain/catalogue/index.ts';
import { fixedLimits } from '../../domain/limits.ts';
import { capabilities } from '../commands/index.ts';
import type { CrashPoint } from '../crashPoint.ts';
import { isOutOfRoom } from '../journal/diskReserve.ts';
import type { Journal, JournalledCommand } from '../journal/journal.ts';
import type { LastingChanges } from '../journal/lastingChanges.ts';
import type { Reporter } from '../journal/report.ts';
import { followLog, log, logDetail } from '../log.ts';
import { agentPlatform, type HostFacts } from '../platform/hostFacts.ts';
import { lastWords } from '../session/lastWords.ts';
import type { FromWorker, ProcessSettings, ToWorker, WorkerEnd } from '../session/messages.ts';
import { endProcesses, identify, type ProcessIdentity } from '../session/processTree.ts';
import { programArguments } from '../session/programArguments.ts';
import { agentVersion } from '../version.ts';
import { endedWithoutRun, lostCommand } from './endings.ts';

/** What all sessions of the service share. */
export interface SessionSurroundings {
  readonly journal: Journal;
  readonly reporter: Reporter;
  readonly changes: LastingChanges;
  readonly crashPoint: CrashPoint;
  readonly processSettings: ProcessSettings;
  readonly host: HostFacts;
}

interface Failure {
  readonly code: string;
  readonly message: string;
}

const respawnMs = 200;
const slowestRespawnMs = 10_000;
const startsBeforeRefusal = 5;
/** Until a command that could not be marked as spawned is tried again. */
const roomWaitMs = 1_000;
/** Commands that are told to stop get their grace (half a second), the proof and the upload of their last output. */
const stopPatienceMs = 5_000;

/** The service's side of one live session: its worker process, its commands, and what is reported about them. */
export class LiveSession {
  readonly sessionId: string;
  readonly epoch: number;
  readonly #with: SessionSurroundings;
  #directory: string;
  #isOpen: boolean;
  #worker: ChildProcess | undefined;
  /** Executors that wait for a command, by marker. */
  readonly #ready = new Map<string, ProcessIdentity>();
  readonly #waiting: string[] = [];
  readonly #running = new Map<string, ProcessIdentity>();
  /** Why the service itself stops a command; absent when the backend asked for it. */
  readonly #stopReasons = new Map<string, Failure>();
  /** Commands that follow the log, with what ends their following. */
  readonly #tracing = new Map<string, () => void>();
  readonly #idleListeners = new Set<() => void>();
  #isAnswered = false;
  #isEnding = false;
  #failedStarts = 0;

  constructor(
    surroundings: SessionSurroundings,
    session: {
      readonly sessionId: string;
      readonly epoch: number;
      readonly directory: string;
      readonly isOpen: boolean;
    },
  ) {
    this.#with = surroundings;
    this.sessionId = session.sessionId;
    this.epoch = session.epoch;
    this.#directory = session.directory;
    this.#isOpen = session.isOpen;
  }

  /** True when it takes no more commands. */
  get isOver(): boolean {
    return this.#isEnding;
  }

  /** Ids of commands that wait or run. */
  get openCommands(): readonly string[] {
    return [...this.#waiting, ...this.#running.keys()];
  }

  /** Starts the worker; `session.opened` is reported when it can take a command. */
  start(): void {
    if (this.#isEnding) return;
    let isReady = false;
    const worker = spawn(process.execPath, [...programArguments(), 'worker'], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      windowsHide: true,
      env: {
        PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
        LANG: process.env['LANG'] ?? 'C.UTF-8',
      },
    });
    this.#worker = worker;
    const identity = worker.pid === undefined ? undefined : identify(worker.pid, null);
    if (identity !== undefined) {
      const { changes, journal } = this.#with;
      changes.make(() => journal.setSessionWorker(this.sessionId, identity));
    }
    worker.on('error', () => undefined);
    worker.on('message', (message: FromWorker) => {
      if (message.type === 'executor') {
        isReady = true;
        this.#answer();
      }
      this.#heard(message);
    });
    worker.once('exit', (code, signal) => {
      this.#failedStarts = isReady ? 0 : this.#failedStarts + 1;
      void lastWords(worker).then(() => this.#workerEnded(`${signal ?? `exit code ${code}`}`));
    });
    this.#tell({ type: 'settings', ...this.#with.processSettings });
  }

  /** Runs a journalled command as soon as an executor is ready. */
  execute(commandId: string): void {
    this.#waiting.push(commandId);
    this.#runWaiting();
  }

  /** Ends a journalled command that is not to run. */
  refuse(commandId: string, why: Failure): void {
    this.#endUnrun(commandId, 'Failed', false, why);
  }

  cancel(commandId: string): void {
    const waiting = this.#waiting.indexOf(commandId);
    if (waiting !== -1) {
      this.#waiting.splice(waiting, 1);
      this.#endUnrun(commandId, 'Cancelled', true, null);
    } else if (this.#running.has(commandId)) this.#tell({ type: 'cancel', commandId });
  }

  /** Ends all commands and the worker. With a reason of the service's own, the commands say so. */
  async close(reason: Failure | null): Promise<void> {
    for (const commandId of this.#waiting.splice(0))
      this.#endUnrun(commandId, 'Cancelled', reason === null, reason);
    await this.#stop(reason, stopPatienceMs);
    const { changes, journal } = this.#with;
    changes.make(() => journal.setSessionState(this.sessionId, 'closed'));
  }

  /** Ends what runs, and the worker. The session stays open, and what has not begun begins after the restart. */
  async suspend(reason: Failure, patienceMs: number): Promise<void> {
    this.#waiting.length = 0;
    await this.#stop(reason, patienceMs);
  }

  async #stop(reason: Failure | null, patienceMs: number): Promise<void> {
    this.#isEnding = true;
    for (const commandId of this.#running.keys()) {
      if (reason !== null) this.#stopReasons.set(commandId, reason);
      this.#tell({ type: 'cancel', commandId });
    }
    const giveUp = new AbortController();
    if (this.#running.size > 0) {
      await Promise.race([
        new Promise<void>((resolve) => this.#idleListeners.add(resolve)),
        pause(patienceMs, undefined, { signal: giveUp.signal }).catch(() => undefined),
      ]);
      giveUp.abort();
    }
    await this.#endWorker();
    await this.#loseRunning('SESSION_STOPPED', 'The command did not end when its session was stopped.');
  }

  async #endWorker(): Promise<void> {
    const worker = this.#worker;
    if (worker?.pid === undefined || worker.exitCode !== null || worker.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    if (worker.connected) worker.disconnect();
    const stop = new AbortController();
    await Promise.race([gone, pause(1_000, undefined, { signal: stop.signal }).catch(() => undefined)]);
    stop.abort();
    worker.kill('SIGKILL');
    await gone;
  }

  /** Once in a run of the service: another worker is no news to the backend. */
  #answer(): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    const { journal, host } = this.#with;
    this.#report(
      {
        kind: 'session.opened',
        body: {
          agentVersion,
          platform: agentPlatform,
          hostName: host.hostName,
          osVersion: host.osVersion,
          capabilities: [...capabilities],
          directory: this.#directory,
          resumed: this.#isOpen,
        },
      },
      () => journal.setSessionState(this.sessionId, 'open'),
    );
    this.#isOpen = true;
  }

  #runWaiting(): void {
    while (!this.#isEnding && this.#waiting.length > 0) {
      const [ready] = this.#ready;
      if (ready === undefined) return;
      const [marker, executor] = ready;
      const commandId = this.#waiting.shift() as string;
      const command = this.#with.journal.command(commandId);
      if (command?.state !== 'received' || command.request === null) continue;
      if (new Date().toISOString() > command.startUntil) {
        this.#endUnrun(commandId, 'Failed', false, {
          code: 'NOT_STARTED_IN_TIME',
          message:
            'The agent was stopped or busy until the command was too old to be started. It did not run.',
        });
        continue;
      }
      if (!this.#markSpawned(commandId, executor)) return;
      this.#ready.delete(marker);
      this.#running.set(commandId, executor);
      const { body, tickets } = command.request;
      this.#tell({
        type: 'run',
        commandId,
        marker,
        sessionId: this.sessionId,
        directory: this.#directory,
        body,
        tickets,
      });
      if (startsTracing(body)) this.#trace(commandId);
    }
  }

  /** False when there is no room to remember it: then the command must not run, and waits until there is. */
  #markSpawned(commandId: string, executor: ProcessIdentity): boolean {
    try {
      this.#with.journal.markSpawned(commandId, executor);
      return true;
    } catch (error) {
      if (!isOutOfRoom(error)) throw error;
      log(`the disk is full: command ${commandId} waits until there is room`);
      this.#waiting.unshift(commandId);
      setTimeout(() => this.#runWaiting(), roomWaitMs);
      return false;
    }
  }

  #trace(commandId: string): void {
    this.#tracing.set(
      commandId,
      followLog((line) => this.#tell({ type: 'trace-line', line: { ...line, source: 'service' } })),
    );
    logDetail(
      `agent ${agentVersion}, process ${process.pid}, session ${this.sessionId}, epoch ${this.epoch}, in ${this.#directory}`,
    );
  }

  #heard(message: FromWorker): void {
    switch (message.type) {
      case 'executor':
        if (message.executor.marker !== null) this.#ready.set(message.executor.marker, message.executor);
        this.#runWaiting();
        break;
      case 'executor-gone':
        this.#ready.delete(message.marker);
        break;
      case 'started':
        this.#started(message.commandId, message.startedAt);
        break;
      case 'output':
        // Lines about the output of those who follow the log would never end.
        if (!this.#tracing.has(message.commandId)) {
          const size = message.parts.reduce((sum, part) => sum + part.size, 0);
          logDetail(`command ${message.commandId} put out ${size} bytes in ${message.parts.length} parts`);
        }
        this.#report({
          kind: 'command.output',
          body: { commandId: message.commandId, parts: [...message.parts] },
        });
        break;
      case 'ended':
        this.#ended(message.end);
        break;
    }
  }

  #started(commandId: string, startedAt: string): void {
    const { crashPoint, journal } = this.#with;
    const command = journal.command(commandId);
    if (command === undefined) return;
    logDetail(`command ${commandId} has started`);
    crashPoint('after-spawn-before-started');
    this.#report({ kind: 'command.started', body: startedBodyOf(command, startedAt) }, () =>
      journal.markStarted(commandId),
    );
  }

  #ended({ startedAt, ...end }: WorkerEnd): void {
    const { crashPoint, journal } = this.#with;
    const command = journal.command(end.commandId);
    if (command === undefined) return;
    if (startedAt !== null) crashPoint('after-spawn-before-started');
    logDetail(
      `command ${end.commandId} ended: ${end.state}${end.error === null ? '' : ` (${end.error.code})`}`,
    );
    crashPoint('after-end-before-journal');
    const reason = this.#stopReasons.get(end.commandId);
    const isStopped = reason !== undefined && end.state === 'Cancelled';
    this.#reportEnd({
      ...end,
      started: startedAt === null ? null : startedBodyOf(command, startedAt),
      ...(isStopped ? { cancelReached: false, error: reason } : {}),
    });
    crashPoint('after-end-before-send');
    this.#forgetRunning(end.commandId);
  }

  #reportEnd(body: EndedBody): void {
    const { journal } = this.#with;
    const fitting = body.error === null ? body : { ...body, error: clipped(body.error) };
    this.#report({ kind: 'command.ended', body: fitting }, () => {
      if (!journal.markEnded(body.commandId, body.state)) return false;
      if (body.directory !== null) journal.setSessionDirectory(this.sessionId, body.directory);
      return true;
    });
    if (body.directory !== null) this.#directory = body.directory;
  }

  #report(content: SessionMessage, change: () => boolean | void = () => true): void {
    const { changes, reporter } = this.#with;
    changes.make(() => reporter.report(this.sessionId, content, change));
  }

  #endUnrun(
    commandId: string,
    state: 'Cancelled' | 'Failed',
    cancelReached: boolean,
    error: Failure | null,
  ): void {
    this.#reportEnd(endedWithoutRun(commandId, state, cancelReached, error));
  }

  async #workerEnded(how: string): Promise<void> {
    const unused = [...this.#ready.values()];
    this.#ready.clear();
    this.#worker = undefined;
    await Promise.all(unused.map((executor) => endProcesses(executor, 0)));
    if (this.#isEnding) return;
    log(`the worker of session ${this.sessionId} ended unexpectedly (${how})`);
    await this.#loseRunning(
      'WORKER_DIED',
      'The process that led the session died while the command ran. What was left of the command was ended; its outcome is unknown.',
    );
    if (!this.#isOpen && this.#failedStarts >= startsBeforeRefusal) {
      this.#isEnding = true;
      this.#report(
        {
          kind: 'session.refused',
          body: { code: 'WORKER_FAILED', message: `The process for the session cannot be started (${how}).` },
        },
        () => this.#with.journal.setSessionState(this.sessionId, 'closed'),
      );
      return;
    }
    if (this.#failedStarts > 0) await pause(Math.min(respawnMs * 2 ** this.#failedStarts, slowestRespawnMs));
    this.start();
  }

  async #loseRunning(code: string, message: string): Promise<void> {
    await Promise.all(
      [...this.#running].map(async ([commandId, executor]) => {
        const processesGone = await endProcesses(executor, 0);
        this.#reportEnd(lostCommand(commandId, { code, message }, processesGone));
        this.#forgetRunning(commandId);
      }),
    );
  }

  #forgetRunning(commandId: string): void {
    this.#running.delete(commandId);
    this.#tracing.get(commandId)?.();
    this.#tracing.delete(commandId);
    this.#stopReasons.delete(commandId);
    if (this.#running.size > 0) return;
    for (const listener of this.#idleListeners) listener();
    this.#idleListeners.clear();
  }

  #tell(message: ToWorker): void {
    // A worker that is gone is noticed by its exit.
    if (this.#worker?.connected === true) this.#worker.send(message, () => undefined);
  }
}

const startedBodyOf = ({ commandId, commandHash }: JournalledCommand, deviceTime: string) => ({
  commandId,
  commandHash,
  deviceTime,
});

const longestMessage = 4_000;
const clipped = ({ code, message }: Failure): Failure => ({
  code,
  message: message.length > longestMessage ? `${message.slice(0, longestMessage - 1)}…` : message,
});

/** Sessions say that they live this often, in milliseconds. */
export const aliveEveryMs = fixedLimits.aliveEvery * 1000;
