import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { OutputPart } from '../../contracts/device.ts';
import { fileNameOf, keptNameOf, keptOutputId } from '../../domain/catalogue/index.ts';
import { CommandOutput, type KeptOutput, largestPart, type OutputStore } from './commandOutput.ts';
import { lastWords } from './lastWords.ts';
import type { FromExecutor, FromWorker, RunCommand, WorkerEnd } from './messages.ts';
import { endProcesses, hasChildren, isGroupLeft, type ProcessIdentity, processesOf } from './processTree.ts';
import type { ScriptStreams } from './scriptStreams.ts';

/** A command that ends within this is reported as one message. */
const quickMs = 100;
const batchMs = 500;
const slowestBatchMs = 5_000;
const inlineBatch = 8 * 1024;
/** The executor is not read while this much waits to be stored. */
const mostPending = largestPart;
const termGraceMs = 500;
/** Message of an end may hold this many parts. */
const partsInEnd = 40;

type Stop = 'Cancelled' | 'TimedOut' | 'Failed';
type Finished = Extract<FromExecutor, { type: 'finished' }>;

/** One command from its start to the proof that nothing of it is left. */
export class RunningCommand {
  readonly #order: RunCommand;
  readonly #child: ChildProcess;
  readonly #executor: ProcessIdentity;
  readonly #script: ScriptStreams | undefined;
  readonly #sources: readonly { readonly stream: OutputPart['stream']; readonly from: Readable }[];
  readonly #tell: (message: FromWorker) => void;
  readonly #output: CommandOutput;
  /** What the line calls the file that its output is kept as. */
  readonly #keptName: string | undefined;
  readonly #startedAt = new Date().toISOString();
  readonly #start = performance.now();
  readonly #timers: NodeJS.Timeout[] = [];
  #batch: NodeJS.Timeout | undefined;
  #isStartTold = false;
  #finished: Finished | undefined;
  #stop: { readonly state: Stop; readonly error: { code: string; message: string } | null } | undefined;
  #cancelReached = false;
  #stopping: Promise<boolean> | undefined;
  #storing: Promise<void> = Promise.resolve();
  #exited = false;
  #received = 0;
  #release: () => void = () => undefined;
  /** Resolves when the end was told; true when the executor is free for another command. */
  readonly done: Promise<boolean>;

  constructor(
    order: RunCommand,
    child: ChildProcess,
    executor: ProcessIdentity,
    openStore: (url: string, ticket: string) => Promise<OutputStore>,
    tell: (message: FromWorker) => void,
    script?: ScriptStreams,
  ) {
    this.#order = order;
    this.#child = child;
    this.#executor = executor;
    this.#tell = tell;
    this.#script = script;
    this.#sources = [
      ...(child.stdout === null ? [] : [{ stream: 'result' as const, from: child.stdout }]),
      ...(script === undefined
        ? []
        : [
            { stream: 'stdout' as const, from: script.stdout },
            { stream: 'stderr' as const, from: script.stderr },
          ]),
    ];
    this.#keptName = keptNameOf(order.body.line);
    this.#output = new CommandOutput(async () => {
      const { output } = order.tickets;
      if (output === undefined) {
        throw new Error('The output is too long for a message, and no place to store it was given.');
      }
      return openStore(order.body.blobs.output, output);
    }, this.#keptName !== undefined);
    this.#timers.push(
      setTimeout(() => this.#tellStart(), quickMs),
      setTimeout(() => this.#end('TimedOut', null), Math.min(order.body.timeLimit * 1000, 2 ** 31 - 1)),
    );
    this.done = this.#follow();
  }

  cancel(): void {
    if (this.#exited) return;
    this.#cancelReached = true;
    this.#end('Cancelled', null);
  }

  /** Remembers what the executor says about the end; one that goes on has ended the command when all it wrote was read. */
  heard(message: FromExecutor): void {
    if (message.type !== 'finished') return;
    this.#finished = message;
    this.#releaseWhenRead();
  }

  #releaseWhenRead(): void {
    const { canRunAnother, outputSize } = this.#finished ?? { canRunAnother: false, outputSize: 0 };
    if (canRunAnother && this.#stop === undefined && this.#received >= outputSize) this.#release();
  }

  #tellStart(): void {
    if (this.#isStartTold) return;
    this.#isStartTold = true;
    this.#tell({ type: 'started', commandId: this.#order.commandId, startedAt: this.#startedAt });
    if (this.#output.pending > 0) this.#scheduleBatch();
  }

  #end(state: Stop, error: { code: string; message: string } | null): void {
    if (this.#stop !== undefined || this.#exited) return;
    this.#stop = { state, error };
    this.#stopping = endProcesses(this.#executor, termGraceMs);
  }

  async #follow(): Promise<boolean> {
    let exited: () => void = () => undefined;
    const exit = new Promise<'exit'>((resolve) => {
      exited = () => resolve('exit');
      this.#child.once('exit', exited);
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) exited();
    });
    const released = new Promise<'released'>((resolve) => {
      this.#release = () => resolve('released');
    });
    const readers = this.#sources.map(({ stream, from }) => {
      const hear = (bytes: Buffer): void => {
        this.#received += bytes.length;
        this.#output.add(bytes, stream);
        // After its end nothing is stored until all of it was read, and that is no more than a pipe holds.
        if (this.#output.pending >= mostPending && !this.#exited) this.#pauseSources();
        this.#scheduleBatch();
        this.#releaseWhenRead();
      };
      from.on('data', hear);
      let closed: () => void = () => undefined;
      const read = new Promise<void>((resolve) => {
        closed = resolve;
        from.once('close', closed);
      });
      return { read, stop: () => from.off('data', hear).off('close', closed) };
    });
    const end = await Promise.race([exit, released]);
    this.#exited = true;
    const duration = (performance.now() - this.#start) / 1000;
    for (const timer of this.#timers) clearTimeout(timer);
    if (end === 'released' && !hasChildren(this.#executor)) {
      this.#child.off('exit', exited);
      for (const { stop } of readers) stop();
      await this.#tellEnd(duration, true);
      this.#resumeSources();
      return true;
    }
    await lastWords(this.#child);
    const processesGone = await this.#proveEnd();
    this.#script?.release();
    this.#resumeSources();
    // Whoever held the other end of a pipe is gone now, unless it outlived SIGKILL.
    if (processesGone) await Promise.all(readers.map(({ read }) => read));
    await this.#tellEnd(duration, processesGone);
    return false;
  }

  #pauseSources(): void {
    for (const { from } of this.#sources) from.pause();
  }

  #resumeSources(): void {
    for (const { from } of this.#sources) from.resume();
  }

  async #proveEnd(): Promise<boolean> {
    if (this.#stopping !== undefined) return this.#stopping;
    if (this.#finished === undefined || this.#finished.canRunAnother) return endProcesses(this.#executor, 0);
    // It ended by itself: nothing may outlive it. Searching all of /proc costs more than most commands.
    if (!this.#finished.startsProcesses && !isGroupLeft(this.#executor)) return true;
    return processesOf(this.#executor).length === 0 || endProcesses(this.#executor, termGraceMs);
  }

  async #tellEnd(duration: number, processesGone: boolean): Promise<void> {
    clearTimeout(this.#batch);
    this.#batch = undefined;
    await this.#storing;
    let parts: readonly OutputPart[] = await this.#output.take(true);
    const kept = await this.#output.kept();
    const { fault } = this.#output;
    if (fault !== undefined) this.#stop ??= storeFailure(fault);
    for (; parts.length > partsInEnd; parts = parts.slice(partsInEnd)) {
      this.#tellStart();
      this.#tell({ type: 'output', commandId: this.#order.commandId, parts: parts.slice(0, partsInEnd) });
    }
    const finished = this.#finished;
    const lost = finished === undefined && this.#stop === undefined;
    const state =
      this.#stop?.state ?? (lost ? 'Lost' : (finished?.error ?? null) === null ? 'Completed' : 'Failed');
    this.#tell({
      type: 'ended',
      end: {
        commandId: this.#order.commandId,
        state,
        startedAt: this.#isStartTold ? null : this.#startedAt,
        output: parts,
        cancelReached: this.#cancelReached,
        exitCode: this.#stop === undefined ? (finished?.exitCode ?? null) : null,
        duration: Math.round(duration * 1000) / 1000,
        error: this.#errorOf(lost),
        directory: this.#stop === undefined ? (finished?.directory ?? null) : null,
        processesGone,
        files: [
          ...(finished?.files ?? []),
          ...(state === 'Completed' || (kept?.size ?? 0) > 0 ? this.#keptFile(kept) : []),
        ],
        ...(finished === undefined || finished.placed.length === 0 ? {} : { placed: [...finished.placed] }),
      },
    });
  }

  #keptFile(kept: KeptOutput | undefined): WorkerEnd['files'] {
    const path = this.#keptName;
    if (kept === undefined || path === undefined) return [];
    return [
      { fileId: keptOutputId(this.#order.commandId), name: fileNameOf(path), path: { text: path }, ...kept },
    ];
  }

  #errorOf(lost: boolean): { code: string; message: string } | null {
    if (lost) {
      const { exitCode, signalCode } = this.#child;
      return {
        code: 'EXECUTOR_DIED',
        message: `The process that ran the command was ended from outside (${signalCode ?? `exit code ${exitCode}`}). The outcome of the command is unknown.`,
      };
    }
    return this.#stop === undefined ? (this.#finished?.error ?? null) : this.#stop.error;
  }

  #scheduleBatch(): void {
    if (!this.#isStartTold || this.#exited) return;
    const isFull = this.#output.pending >= (this.#output.parts === 0 ? inlineBatch : mostPending);
    if (isFull) {
      this.#store();
      return;
    }
    // A long command would otherwise fill the history of its session with tiny parts.
    const wait = Math.min(slowestBatchMs, batchMs * (1 + this.#output.parts / 20));
    this.#batch ??= setTimeout(() => this.#store(), wait);
  }

  #store(): void {
    clearTimeout(this.#batch);
    this.#batch = undefined;
    this.#storing = this.#storing.then(async () => {
      if (this.#exited) return;
      const parts = await this.#output.take(false);
      if (parts.length > 0) {
        this.#tell({ type: 'output', commandId: this.#order.commandId, parts });
      }
      const { fault } = this.#output;
      if (fault !== undefined) this.#end('Failed', storeFailure(fault).error);
      this.#resumeSources();
    });
  }
}

const storeFailure = ({ message }: Error): { state: Stop; error: { code: string; message: string } } => ({
  state: 'Failed',
  error: { code: 'OUTPUT_NOT_STORED', message },
});
