import { createHash } from 'node:crypto';
import {
  commandEnds,
  type Envelope,
  type LiveResponseClient,
  type SessionResource,
} from '../../sdk/index.ts';
import { exitCodes } from '../exitCodes.ts';
import { Failure } from '../failure.ts';
import { nextAfterFailure } from '../nextSteps.ts';
import { shownInLine } from '../terminal/neutralise.ts';
import { eventShapes, type OutputPart } from './sessionEvent.ts';
import { type CommandListener, type CommandState, isEnded, type TrackedCommand } from './trackedCommand.ts';

/** A server that does not answer must not keep anyone from leaving; the idle limit ends the session then. */
const disconnectWithinMs = 10_000;

interface Tracking extends TrackedCommand {
  readonly end: () => void;
}

/** What is known of the device since it answered. */
export interface ConnectedDevice {
  readonly hostName: string;
  readonly platform: string;
  readonly agentVersion: string;
  readonly capabilities: readonly string[];
}

/** How a session came to its end; `SessionDisconnected` and the like. */
export type SessionEnd = string;

/**
 * One session as this client sees it: a single stream of events, followed from the opening to the end, tells the state
 * of the session and of every command, so nothing is shown twice and nothing is missed.
 */
export class LiveSession {
  readonly sessionId: string;
  readonly userName: string;
  directory = '';
  device: ConnectedDevice | undefined;
  end: SessionEnd | undefined;
  /** Why the events cannot be followed any more, when it is not the session's end. */
  fault: Error | undefined;
  /** Settles when the events have ended; rejects when they cannot be followed any more. */
  readonly settled: Promise<void>;
  /** Settles when the device has answered; rejects with a Failure when it never will. */
  readonly connected: Promise<void>;
  onInterruption: (error: Error) => void = () => {};
  readonly #client: LiveResponseClient;
  readonly #commands = new Map<string, Tracking>();
  readonly #connection = Promise.withResolvers<void>();
  readonly #leave = new AbortController();

  private constructor(client: LiveResponseClient, session: SessionResource) {
    this.#client = client;
    this.sessionId = session.sessionId;
    this.userName = session.userName;
    this.connected = this.#connection.promise;
    this.settled = this.#follow();
    // Both may be rejected before anyone waits for them.
    this.connected.catch(() => {});
    this.settled.catch(() => {});
  }

  static async open(client: LiveResponseClient, deviceId: string, reason: string): Promise<LiveSession> {
    return new LiveSession(client, await client.openSession({ deviceId, reason }));
  }

  /** Every command of the session, in the order in which they became known. */
  get commands(): readonly TrackedCommand[] {
    return [...this.#commands.values()];
  }

  get openCommands(): readonly TrackedCommand[] {
    return [...this.#commands.values()].filter((command) => !isEnded(command));
  }

  command(commandId: string): TrackedCommand | undefined {
    return this.#commands.get(commandId);
  }

  /** Every file that this session has brought in until now. */
  get files() {
    return [...this.#commands.values()].flatMap((command) => command.files);
  }

  /** `listen` is called before anything can happen to the command. Throws ApiError when the line is refused. */
  async issue(line: string, listen: (command: TrackedCommand) => CommandListener): Promise<TrackedCommand> {
    // The key is the command's id: its events may arrive before the answer does.
    const commandId = crypto.randomUUID();
    const command = this.#track(commandId, line);
    command.listener = listen(command);
    try {
      const issued = await this.#client.issueCommand(this.sessionId, line, { idempotencyKey: commandId });
      command.name ||= issued.name;
      if (!isEnded(command)) command.background = issued.background;
      return command;
    } catch (error) {
      this.#commands.delete(commandId);
      throw error;
    }
  }

  async cancel({ commandId }: TrackedCommand): Promise<void> {
    await this.#client.cancelCommand(this.sessionId, commandId);
  }

  async sendToBackground({ commandId }: TrackedCommand): Promise<void> {
    await this.#client.sendToBackground(this.sessionId, commandId);
  }

  /** Ends the session on the server; the events of what was still open are not waited for. */
  async disconnect(): Promise<void> {
    const signal = AbortSignal.timeout(disconnectWithinMs);
    try {
      if (this.end === undefined) await this.#client.disconnect(this.sessionId, { signal });
    } finally {
      this.#leave.abort(new Error('left'));
    }
  }

  async #follow(): Promise<void> {
    try {
      for await (const event of this.#client.events(this.sessionId, {
        signal: this.#leave.signal,
        onInterruption: (error) => this.onInterruption(error),
      })) {
        await this.#apply(event);
      }
    } catch (error) {
      this.#connection.reject(error);
      if (this.#leave.signal.aborted) return;
      this.fault = error instanceof Error ? error : new Error(String(error));
      throw error;
    } finally {
      this.#connection.reject(notConnected(this.end));
      for (const command of this.#commands.values()) command.end();
    }
  }

  async #apply({ type, data }: Envelope): Promise<void> {
    if (commandEnds.has(type)) return this.#applyEnd(type, data);
    switch (type) {
      case 'SessionConnected': {
        const { directory, ...device } = eventShapes.SessionConnected.parse(data);
        this.device = device;
        this.directory = directory;
        return this.#connection.resolve();
      }
      case 'SessionRefused':
      case 'SessionUnanswered':
      case 'SessionAbandoned':
      case 'SessionDisconnected':
      case 'SessionExpired':
      case 'SessionLost':
        this.end = type;
        return this.#connection.reject(notConnected(type, data));
      case 'CommandIssued': {
        const { commandId, ...issued } = eventShapes.CommandIssued.parse(data);
        Object.assign(this.#track(commandId, issued.line), issued);
        return;
      }
      case 'CommandStarted':
        this.#commandOf(data).state = 'Started';
        return;
      case 'CommandOutputRecorded': {
        const part = eventShapes.CommandOutputRecorded.parse(data);
        const { listener } = this.#commandOf(data);
        if (listener !== undefined && part.size > 0) listener.output(part.stream, await this.#bytesOf(part));
        return;
      }
      case 'CommandSentToBackground': {
        const command = this.#commandOf(data);
        command.background = true;
        return command.listener?.sentToBackground();
      }
      case 'CommandBroughtToForeground': {
        const command = this.#commandOf(data);
        command.background = false;
        return command.listener?.broughtToForeground();
      }
      case 'FileCollected': {
        const { fileId, name, size, sha256 } = eventShapes.FileCollected.parse(data);
        const command = this.#commandOf(data);
        command.files.push({ fileId, name, size, sha256 });
        return command.listener?.file({ fileId, name, size, sha256 });
      }
      default:
        return;
    }
  }

  #applyEnd(type: string, data: unknown): void {
    const command = this.#commandOf(data);
    command.state = type.slice('Command'.length) as CommandState;
    if (type === 'CommandLost') {
      const { reason, message } = eventShapes.CommandLost.parse(data);
      command.error = { code: reason, message };
    } else {
      const { exitCode, duration, error, directory } = eventShapes.ended.parse(data);
      Object.assign(command, { exitCode, duration, error });
      if (directory !== null) this.directory = directory;
    }
    command.listener?.ended();
    command.end();
  }

  /** Small output lies in the event; the rest is fetched. Either way it must be what was recorded. */
  async #bytesOf(part: OutputPart): Promise<Uint8Array> {
    const bytes = part.inline === null ? await this.#fetch(part) : bytesOfText(part.inline);
    const hash = createHash('sha256').update(bytes).digest('hex');
    if (hash === part.sha256) return bytes;
    throw new Failure(
      exitCodes.internal,
      'OUTPUT_MISMATCH',
      `Output of command ${part.commandId} is not what the device recorded (at byte ${part.offset}).`,
      'Do not trust it. Look at the evidence: lr history',
    );
  }

  async #fetch({ commandId, offset, size }: OutputPart): Promise<Uint8Array> {
    const { signal } = this.#leave;
    const output = await this.#client.output(this.sessionId, commandId, { from: offset, size, signal });
    const pieces: Uint8Array[] = [];
    let received = 0;
    for await (const bytes of output) {
      pieces.push(bytes);
      received += bytes.length;
      if (received >= size) break;
    }
    return Buffer.concat(pieces).subarray(0, size);
  }

  #commandOf(data: unknown): Tracking {
    return this.#track(eventShapes.aboutCommand.parse(data).commandId, '');
  }

  #track(commandId: string, line: string): Tracking {
    const known = this.#commands.get(commandId);
    if (known !== undefined) return known;
    const { promise, resolve } = Promise.withResolvers<void>();
    const command: Tracking = {
      commandId,
      name: '',
      line,
      flags: [],
      output: 'table',
      background: false,
      state: 'Issued',
      exitCode: null,
      duration: null,
      error: null,
      files: [],
      listener: undefined,
      ended: promise,
      end: resolve,
    };
    this.#commands.set(commandId, command);
    return command;
  }
}

const bytesOfText = ({
  text,
  bytes,
}: {
  readonly text: string;
  readonly bytes?: string | undefined;
}): Uint8Array => (bytes === undefined ? Buffer.from(text, 'utf8') : Buffer.from(bytes, 'base64'));

const notConnected = (end: SessionEnd | undefined, data: Record<string, unknown> = {}): Failure => {
  const { message, code } = data;
  const why = typeof message === 'string' ? `: ${shownInLine(message)}` : '';
  switch (end) {
    case 'SessionRefused':
      return new Failure(
        exitCodes.refused,
        'SESSION_REFUSED',
        `The device refused the session${why}`,
        (typeof code === 'string' ? nextAfterFailure(code) : undefined) ??
          "Try again in a moment. When it stays, the agent's log on the device says more.",
      );
    case 'SessionUnanswered':
      return new Failure(
        exitCodes.unavailable,
        'SESSION_UNANSWERED',
        'The device did not answer in time.',
        'See with "lr devices" when it was last seen, and try again.',
      );
    default:
      return new Failure(
        exitCodes.unavailable,
        'SESSION_ENDED',
        `The session ended before the device was connected${end === undefined ? '' : ` (${end})`}.`,
        'Look at what happened: lr history',
      );
  }
};
