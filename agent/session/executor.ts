import { appendFileSync } from 'node:fs';
import { CommandFailure, type CommandOutcome, type DeviceCommand } from '../commands/command.ts';
import { commandNamed } from '../commands/index.ts';
import { trustAuthorities } from '../settings/authorities.ts';
import type { FromExecutor, ToExecutor } from './messages.ts';
import { identify } from './processTree.ts';

const send = (message: FromExecutor): Promise<void> =>
  new Promise((resolve) => {
    process.send?.(message, undefined, {}, () => resolve());
  });

/** Then a new process takes over: what a command may have leaked goes with the old one. */
const commandsPerProcess = 100;

/**
 * Runs commands, one at a time: rows go to stdout as JSON lines, the end is told to the worker. Meant to be started ahead of
 * time, so that a command does not wait for the start of a process. A command that starts processes is its last one.
 */
export const runExecutor = async (): Promise<void> => {
  // Without its worker nobody would hear the result or keep the time limit.
  process.once('disconnect', () => process.exit(1));
  for (let left = commandsPerProcess; left > 0; left -= 1) {
    const order = await nextOrder();
    if (order.witness !== null) {
      const { pid, startTime } = identify(process.pid, null) ?? { pid: process.pid, startTime: '?' };
      appendFileSync(order.witness, `${order.commandId} ${pid} ${startTime}\n`);
    }
    const finished = await finish(order, left > 1);
    await send(finished);
    if (!finished.canRunAnother) break;
  }
  // All is written by now, and the orderly end of the runtime takes longer than most commands.
  process.kill(process.pid, 'SIGKILL');
};

let isAnnounced = false;

/** Says once that it is ready; after that every end says so. */
const nextOrder = (): Promise<ToExecutor> =>
  new Promise((resolve) => {
    const hear = (message: unknown): void => {
      // The last lines of a log that was followed may arrive after its command ended.
      if ((message as ToExecutor).type !== 'execute') return;
      process.off('message', hear);
      resolve(message as ToExecutor);
    };
    process.on('message', hear);
    if (!isAnnounced) void send({ type: 'ready' });
    isAnnounced = true;
  });

type Finished = Extract<FromExecutor, { type: 'finished' }>;

const finish = async (order: ToExecutor, mayRunAnother: boolean): Promise<Finished> => {
  const command = commandNamed(order.body.name);
  const startsProcesses = command?.startsProcesses ?? false;
  const lines = new LineWriter();
  const ended = (): Pick<Finished, 'type' | 'startsProcesses' | 'outputSize' | 'canRunAnother'> => ({
    type: 'finished',
    startsProcesses,
    outputSize: lines.written,
    canRunAnother: mayRunAnother && !startsProcesses,
  });
  try {
    // Only what moves files needs it, and it takes 30 ms.
    const usesStore = order.body.blobs.collected !== null || order.body.libraryFile !== undefined;
    if (order.caFile !== null && usesStore) trustAuthorities(order.caFile);
    if (command === undefined) {
      throw new CommandFailure(
        'NOT_SUPPORTED',
        `This agent has no command ${order.body.name}. Update the agent.`,
      );
    }
    const outcome = await runCommand(command, order, lines);
    const { directory = null, files = [], placed = [], exitCode = null } = outcome;
    return { ...ended(), error: null, directory, files, placed, exitCode };
  } catch (error) {
    return {
      ...ended(),
      error: error instanceof CommandFailure ? { code: error.code, message: error.message } : faultOf(error),
      directory: null,
      files: [],
      placed: [],
      exitCode: null,
    };
  }
};

const faultOf = (error: unknown): { readonly code: string; readonly message: string } => ({
  code: 'COMMAND_FAULT',
  message: `The command failed in an unexpected way: ${error instanceof Error ? error.message : String(error)}`,
});

const runCommand = async (
  command: DeviceCommand,
  { body, commandId, sessionId, directory, tickets, stateDirectory, scriptStreams }: ToExecutor,
  lines: LineWriter,
): Promise<CommandOutcome> => {
  const { collected } = body.blobs;
  const { libraryFile } = body;
  const rows = command.run({
    commandId,
    sessionId,
    user: body.user ?? '',
    directory,
    stateDirectory,
    scriptStreams,
    parameters: body.parameters,
    flags: new Set(body.flags.map((flag) => flag.replace(/^-+/, ''))),
    limits: body.limits,
    collected:
      collected === null || tickets.collected === undefined
        ? null
        : { url: collected, ticket: tickets.collected },
    libraryFile:
      libraryFile === undefined || tickets.library === undefined
        ? null
        : { ...libraryFile, ticket: tickets.library },
  });
  try {
    for (;;) {
      const next = await rows.next();
      if (next.done === true) return next.value;
      await lines.write(JSON.stringify(next.value));
    }
  } finally {
    await lines.flush();
  }
};

/** Joins rows to larger writes; a row is held back no longer than `holdMs`, whether or not another one follows. */
class LineWriter {
  static readonly #chunk = 64 * 1024;
  static readonly #holdMs = 100;
  #pending: string[] = [];
  #size = 0;
  #holding: NodeJS.Timeout | undefined;
  #fault: Error | undefined;
  /** Bytes handed to stdout. */
  written = 0;

  async write(line: string): Promise<void> {
    if (this.#fault !== undefined) throw this.#fault;
    this.#pending.push(line, '\n');
    this.#size += line.length + 1;
    if (this.#size >= LineWriter.#chunk) return this.flush();
    this.#holding ??= setTimeout(
      () => void this.flush().catch((error: Error) => (this.#fault = error)),
      LineWriter.#holdMs,
    );
  }

  async flush(): Promise<void> {
    clearTimeout(this.#holding);
    this.#holding = undefined;
    if (this.#size === 0) return;
    const text = this.#pending.join('');
    this.#pending = [];
    this.#size = 0;
    this.written += Buffer.byteLength(text);
    await new Promise<void>((resolve, reject) => {
      process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
    });
  }
}
