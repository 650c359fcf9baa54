import { randomUUID } from 'node:crypto';
import { deviceQueueOf } from '../../../contracts/device.ts';
import type { LocalDevice } from '../../../local/device.ts';
import type { FaultRequest } from '../../../local/service-bus/faults.ts';
import { ApiError } from '../../../sdk/index.ts';
import { type FaultCloud, persistentClient } from '../faultCloud.ts';
import { settled } from '../faultEnds.ts';
import { endOf, listed, slotHolders, type StoredHistory } from '../faultHistory.ts';
import { processesOfCommands, workersOf } from '../faultProcesses.ts';
import { eventually } from '../responders.ts';
import { EventReader } from './eventReader.ts';
import {
  disagreements,
  type ModelCommand,
  type ModelSession,
  openSession,
  readingFaults,
  type ScheduleModel,
} from './scheduleModel.ts';
import { type SharedFaults, signal, standStill } from './sharedFaults.ts';

/** What several schedules share. */
export interface SchedulePlace {
  readonly fault: FaultCloud;
  readonly shared: SharedFaults;
  readonly history: StoredHistory;
}

/** Longer than any fault of a schedule, and than what is waited for after a word was lost. */
const patienceMs = 240_000;
const askAgainMs = 200;
const upward = 'devices/messages';
const refusals: ReadonlySet<string> = new Set(['SESSION_ENDED', 'FOREGROUND_BUSY']);

/** The real system as one schedule sees it: a device, its sessions, and a responder. */
export class ScheduleLane {
  readonly shared: SharedFaults;
  readonly files: FaultCloud['files'];
  readonly #place: SchedulePlace;
  readonly #device: LocalDevice;
  readonly #client;
  readonly #readers: EventReader[] = [];
  readonly #under: Promise<unknown>[] = [];
  #deviceTurn: Promise<unknown> = Promise.resolve();

  constructor(place: SchedulePlace, device: LocalDevice) {
    this.#place = place;
    this.shared = place.shared;
    this.files = place.fault.files;
    this.#device = device;
    this.#client = persistentClient(place.fault.cloud, patienceMs);
  }

  /** Goes on beside the steps that follow; the end of the schedule waits for it. */
  aside(work: Promise<unknown>): void {
    work.catch(() => undefined);
    this.#under.push(work);
  }

  // ---- what a responder does

  async open(model: ScheduleModel): Promise<void> {
    const { deviceId } = this.#device;
    const sessionId = randomUUID();
    await eventually(
      'the device is free for a new session',
      async () => {
        try {
          await this.#client.openSession({ deviceId, reason: 'schedule' }, { idempotencyKey: sessionId });
          return true;
        } catch (error) {
          if (codeOf(error) === 'DEVICE_SESSION_LIMIT') return false;
          throw error;
        }
      },
      patienceMs,
      askAgainMs,
    );
    model.sessions.push({ sessionId, commands: [], isClosed: false, mayBeUnanswered: false });
    this.#readers.push(new EventReader(this.#client, sessionId));
    this.resumeReading(model);
  }

  issue(session: ModelSession, line: string): ModelCommand {
    const command: ModelCommand = {
      commandId: randomUUID(),
      line,
      answer: 'pending',
      isCancelled: false,
      mayBeLost: false,
    };
    session.commands.push(command);
    this.aside(
      this.#ask(session, command).then((answer) => {
        command.answer = answer;
      }),
    );
    return command;
  }

  /** The same request as before, as from a client that did not hear the answer. */
  async askAgain(session: ModelSession, command: ModelCommand): Promise<void> {
    const before = await this.#answered(command);
    const after = await this.#ask(session, command);
    // What was refused before may be accepted now; the other way round, something was forgotten.
    if (before === 'accepted' && after === 'refused')
      throw new Error(`command ${command.commandId} was accepted, and its repetition was refused`);
    command.answer = after;
    if (session.isClosed) command.isCancelled = true;
  }

  #ask({ sessionId }: ModelSession, { commandId, line }: ModelCommand): Promise<ModelCommand['answer']> {
    return eventually(
      'the device has answered',
      async () => {
        try {
          await this.#client.issueCommand(sessionId, line, { idempotencyKey: commandId });
          return 'accepted';
        } catch (error) {
          const code = codeOf(error);
          if (code === 'SESSION_NOT_CONNECTED') return undefined;
          if (refusals.has(code)) return 'refused';
          throw error;
        }
      },
      patienceMs,
      askAgainMs,
    );
  }

  #answered(command: ModelCommand): Promise<ModelCommand['answer']> {
    return eventually(
      'the command is answered',
      async () => command.answer !== 'pending' && command.answer,
      patienceMs,
    );
  }

  async cancel({ sessionId }: ModelSession, command: ModelCommand): Promise<void> {
    command.isCancelled = true;
    if ((await this.#answered(command)) === 'accepted')
      await this.#client.cancelCommand(sessionId, command.commandId);
  }

  async sendToBackground({ sessionId }: ModelSession, command: ModelCommand): Promise<void> {
    if ((await this.#answered(command)) === 'accepted')
      await this.#client.sendToBackground(sessionId, command.commandId);
  }

  async disconnect(session: ModelSession): Promise<void> {
    session.isClosed = true;
    for (const command of session.commands) command.isCancelled = true;
    await this.#client.disconnect(session.sessionId);
  }

  async hangUp(model: ScheduleModel): Promise<void> {
    model.isReading = false;
    await this.#reader?.hangUp();
  }

  resumeReading(model: ScheduleModel): void {
    model.isReading = true;
    this.#reader?.resume();
  }

  // ---- what breaks on the device

  #withDevice(work: () => Promise<unknown>): void {
    this.#deviceTurn = this.#deviceTurn.then(work);
    this.aside(this.#deviceTurn);
  }

  killAgent(): void {
    this.#withDevice(async () => {
      this.#device.kill('SIGKILL');
      await this.#device.restart();
    });
  }

  stopAgent(forMs: number): void {
    this.#withDevice(() => standStill(this.#device.pid(), forMs));
  }

  killWorker(): void {
    this.#withDevice(async () => {
      for (const worker of workersOf(this.#device.pid())) signal(worker, 'SIGKILL');
    });
  }

  stopWorker(forMs: number): void {
    this.#withDevice(() =>
      Promise.all(workersOf(this.#device.pid()).map((worker) => standStill(worker, forMs))),
    );
  }

  /** A fault of the broker between this device and the backend: on the way down, or on the way up in this session. */
  breakChannel({ sessionId }: ModelSession, way: 'down' | 'up', fault: Omit<FaultRequest, 'entity'>): void {
    const where =
      way === 'down'
        ? { entity: this.#queue }
        : { entity: upward, ...(fault.at === 'send' ? { session: sessionId } : {}) };
    this.aside(this.shared.addToBroker([{ ...fault, ...where }]));
  }

  get #queue(): string {
    return deviceQueueOf(this.#device.deviceId).toLowerCase();
  }

  // ---- the end

  /** Ends the faults of this schedule, demands that its device works, ends its session, and compares. */
  async settle(model: ScheduleModel): Promise<Readonly<Record<string, number>>> {
    const { history, fault } = this.#place;
    const own = new Set(model.sessions.map(({ sessionId }) => sessionId));
    await this.#deviceTurn;
    await this.shared.withdrawFromBroker(
      ({ entity, session }) => entity === this.#queue || (session !== undefined && own.has(session)),
    );
    const current = openSession(model);
    if (current !== undefined) await this.#requireWorking(current);
    await Promise.all(this.#under);
    if (current !== undefined) await this.#disconnectWhenEnded(current);
    await Promise.all(this.#readers.map((reader) => reader.toTheEnd(patienceMs)));

    const executions = fault.executions();
    const ends: Record<string, number> = {};
    for (const session of model.sessions) {
      const events = await this.#stored(() => history.session(this.#tenantId, session.sessionId));
      const reader = this.#readers.find(({ sessionId }) => sessionId === session.sessionId);
      const found = [
        ...disagreements(session, events, executions),
        ...readingFaults(reader?.read ?? [], events),
      ];
      if (found.length > 0) throw new Error(`${found.join('\n')}\n${listed(events)}`);
      for (const { type } of events) {
        const end = /^Command(Completed|Cancelled|Lost)$/.exec(type)?.[1];
        if (end !== undefined) ends[end] = (ends[end] ?? 0) + 1;
      }
    }
    await this.#requireNothingLeft(model, own);
    return ends;
  }

  get #tenantId(): string {
    return this.#place.fault.cloud.tenants[0]?.id ?? '';
  }

  /** Other schedules go on breaking the store while this one looks at what it holds. */
  #stored<Value>(look: () => Promise<Value>): Promise<Value> {
    return eventually('the store answers', () => look().catch(() => undefined), patienceMs, askAgainMs);
  }

  /** When this command runs, everything that the agent had to say before was heard. */
  async #requireWorking(session: ModelSession): Promise<void> {
    const command = this.issue(session, 'dir / &');
    if ((await this.#answered(command)) === 'refused') return;
    if (!(await this.#reader?.until((read) => endOf(read, command.commandId) !== undefined, patienceMs)))
      throw new Error(`command ${command.commandId} did not end, although everything is well again`);
  }

  get #reader(): EventReader | undefined {
    return this.#readers.at(-1);
  }

  async #disconnectWhenEnded(session: ModelSession): Promise<void> {
    const { sessionId } = session;
    const accepted = session.commands.filter(({ answer }) => answer === 'accepted');
    await this.#reader?.until(
      (read) => accepted.every(({ commandId }) => endOf(read, commandId) !== undefined),
      patienceMs,
    );
    session.isClosed = true;
    await this.#client.disconnect(sessionId);
  }

  async #requireNothingLeft({ sessions }: ScheduleModel, own: ReadonlySet<string>): Promise<void> {
    const { history } = this.#place;
    await eventually(
      'the slots are given back',
      async () => {
        const slots = `${this.#tenantId}|slots-${this.#tenantId}`;
        const streams = await this.#stored(() => history.streams(slots));
        return !slotHolders(streams).some((sessionId) => own.has(sessionId));
      },
      patienceMs,
      askAgainMs,
    );
    const letters = (await this.#stored(() => history.deadLetters())).filter((letter) =>
      [...own].some((sessionId) => JSON.stringify(letter).includes(sessionId)),
    );
    if (letters.length > 0) throw new Error(`dead letters: ${JSON.stringify(letters, null, 1)}`);
    const commandIds = sessions.flatMap(({ commands }) => commands.map(({ commandId }) => commandId));
    const left = await settled(() => Promise.resolve(processesOfCommands(this.#device.stateDir, commandIds)));
    if (left.length > 0) throw new Error(`processes outlived their command: ${left.join('; ')}`);
  }
}

const codeOf = (error: unknown): string => (error instanceof ApiError ? error.code : '');
