import { setTimeout as pause } from 'node:timers/promises';
import * as z from 'zod';
import {
  type DownwardPayload,
  downwardMessage,
  type PresenceMessageContent,
  type Tickets,
} from '../../contracts/device.ts';
import { commandHash } from '../../evidence/commandSignature.ts';
import type { CrashPoint } from '../crashPoint.ts';
import { type DiskReserve, isOutOfRoom } from '../journal/diskReserve.ts';
import type { Journal, JournalledCommand } from '../journal/journal.ts';
import { LastingChanges } from '../journal/lastingChanges.ts';
import { type DeviceIdentity, Reporter } from '../journal/report.ts';
import { prepareFolders } from '../library/folders.ts';
import { log, logDetail, reasonOf } from '../log.ts';
import { agentPlatform, hostAddresses, hostFacts } from '../platform/hostFacts.ts';
import { initialDirectory } from '../platform/initialDirectory.ts';
import type { ProcessSettings } from '../session/messages.ts';
import { endProcesses } from '../session/processTree.ts';
import type { Channel, Delivery } from '../transport/channel.ts';
import { SpoolDelivery } from '../transport/spoolDelivery.ts';
import { agentVersion } from '../version.ts';
import { type CommandTrust, KeysUnavailable } from './commandTrust.ts';
import { endedWithoutRun, lostCommand } from './endings.ts';
import { aliveEveryMs, LiveSession, type SessionSurroundings } from './liveSession.ts';

const superseded = { code: 'SESSION_SUPERSEDED', message: 'A newer session was opened on this device.' };

const diskFull = {
  code: 'DEVICE_DISK_FULL',
  message:
    'The disk of the device is full: the agent could not keep a record of what it would do, so it did nothing. Make room on the device and try again.',
};

type Payload<Kind extends DownwardPayload['kind']> = Extract<DownwardPayload, { kind: Kind }>;

/** How long a command may wait for its start when its sender set no limit; and the most that is believed. Seconds. */
const usualStartWithin = 120;
const longestStartWithin = 600;
/** What is journalled guards against repeats, so a broker that is slow to confirm holds nobody up for longer. */
const completePatienceMs = 1_000;
const probeEveryMs = 30_000;
/** How often room is looked for after the disk was full, when nobody asks for anything. */
const holdEveryMs = 10_000;
const rememberClosedMs = 7 * 24 * 3_600_000;
/** The longest idle time that a tenant can set is 8 hours: by then the backend has ended a session that it never spoke of again. */
const abandonedAfterMs = 9 * 3_600_000;
const stopPatienceMs = 2_000;
const drainPatienceMs = 900;

export interface DeviceServiceParts {
  readonly identity: DeviceIdentity;
  /** With a run begun. */
  readonly journal: Journal;
  readonly reserve: DiskReserve;
  readonly channel: Channel;
  readonly trust: CommandTrust;
  readonly crashPoint: CrashPoint;
  readonly processSettings: ProcessSettings;
}

/** The agent's service: takes what comes down the queue, keeps the sessions, and reports. */
export class DeviceService {
  readonly #parts: DeviceServiceParts;
  readonly #surroundings: SessionSurroundings;
  readonly #delivery: SpoolDelivery;
  readonly #changes = new LastingChanges();
  readonly #sessions = new Map<string, LiveSession>();
  readonly #timers: NodeJS.Timeout[] = [];
  #heartbeat: NodeJS.Timeout | undefined;
  #saidHello = false;
  #isStopping = false;

  constructor(parts: DeviceServiceParts) {
    this.#parts = parts;
    const { journal, channel, crashPoint, identity, processSettings } = parts;
    this.#delivery = new SpoolDelivery(journal, channel, crashPoint);
    const reporter = new Reporter(journal, identity, (sessionId) => this.#delivery.wake(sessionId));
    const changes = this.#changes;
    this.#surroundings = { journal, reporter, changes, crashPoint, processSettings, host: hostFacts() };
  }

  /** Cleans up after an earlier run, takes up its sessions, and begins to receive. */
  async start(): Promise<void> {
    const { channel, reserve } = this.#parts;
    this.#forget();
    await this.#recover();
    channel.onConnected(() => void this.#greet());
    channel.start((delivery) => this.#receive(delivery));
    this.#timers.push(
      setInterval(() => this.#sayAlive(), aliveEveryMs),
      setInterval(() => {
        if (this.#sessions.size > 0) void channel.probe();
      }, probeEveryMs),
      setInterval(() => this.#closeAbandoned(), 60_000),
      setInterval(() => reserve.hold(), holdEveryMs),
      setInterval(() => this.#forget(), 24 * 3_600_000),
    );
  }

  #forget(): void {
    const { journal } = this.#parts;
    this.#changes.make(() => journal.forget(new Date(Date.now() - rememberClosedMs).toISOString()));
  }

  /** Ends what runs and says so, within about three seconds. Open sessions stay open at the backend. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#heartbeat);
    const reason = {
      code: 'AGENT_STOPPED',
      message: 'The agent was stopped on the device, and the command with it.',
    };
    await Promise.all([...this.#sessions.values()].map((session) => session.suspend(reason, stopPatienceMs)));
    await this.#delivery.drain(drainPatienceMs);
    this.#delivery.close();
    this.#changes.close();
    await Promise.race([this.#parts.channel.close(), pause(1_000, undefined, { ref: false })]);
    this.#parts.journal.close();
  }

  // ---- after a crash

  async #recover(): Promise<void> {
    const { journal } = this.#parts;
    const sessions = journal.openSessions();
    await Promise.all(
      sessions.map(async ({ worker }) => {
        if (worker !== null) await endProcesses(worker, 0);
      }),
    );
    await Promise.all(
      journal.openCommands().map(async ({ commandId, sessionId, executor, state }) => {
        if (state === 'received') return;
        const processesGone = executor === null || (await endProcesses(executor, 0));
        const error = {
          code: 'AGENT_RESTARTED',
          message:
            'The agent was interrupted while the command ran. What was left of it was ended; its outcome is unknown.',
        };
        this.#changes.make(() =>
          this.#surroundings.reporter.report(
            sessionId,
            { kind: 'command.ended', body: lostCommand(commandId, error, processesGone) },
            () => journal.markEnded(commandId, 'Lost'),
          ),
        );
      }),
    );
    try {
      this.#parts.reserve.spend(() => prepareFolders(this.#surroundings.processSettings.stateDirectory));
    } catch (error) {
      // Sessions are worth more than library files, whose commands then fail by themselves.
      log(`the folders for library files cannot be made: ${reasonOf(error)}`);
    }
    const newest = sessions.at(-1);
    for (const { sessionId, epoch, directory, state } of sessions) {
      if (sessionId !== newest?.sessionId) {
        // A newer session was accepted and the service died before it had ended this one.
        await this.#sessionOf(sessionId, epoch, directory, true, journal.openCommands(sessionId)).close(
          superseded,
        );
        continue;
      }
      const session = this.#sessionOf(
        sessionId,
        epoch,
        directory,
        state === 'open',
        journal.openCommands(sessionId),
      );
      this.#sessions.set(sessionId, session);
      session.start();
    }
  }

  #sessionOf(
    sessionId: string,
    epoch: number,
    directory: string,
    isOpen: boolean,
    unrun: readonly JournalledCommand[],
  ): LiveSession {
    const session = new LiveSession(this.#surroundings, { sessionId, epoch, directory, isOpen });
    for (const { commandId } of unrun) session.execute(commandId);
    return session;
  }

  // ---- presence

  async #greet(): Promise<void> {
    if (this.#saidHello) {
      this.#scheduleHeartbeat();
      return;
    }
    const { hostName, osVersion } = this.#surroundings.host;
    this.#saidHello = await this.#say(null, {
      kind: 'device.hello',
      body: {
        agentVersion,
        platform: agentPlatform,
        hostName,
        osVersion,
        openSessions: this.#openSessions(),
        addresses: hostAddresses(),
      },
    });
    this.#scheduleHeartbeat();
  }

  #scheduleHeartbeat(): void {
    clearTimeout(this.#heartbeat);
    if (this.#isStopping) return;
    this.#heartbeat = setTimeout(async () => {
      await this.#parts.channel.probe();
      await this.#say(null, { kind: 'device.heartbeat', body: { openSessions: this.#openSessions() } });
      this.#scheduleHeartbeat();
    }, this.#parts.channel.heartbeatEvery * 1000);
  }

  #sayAlive(): void {
    for (const { sessionId, openCommands, isOver } of this.#sessions.values()) {
      if (isOver) continue;
      void this.#say(sessionId, {
        kind: 'session.alive',
        body: { openCommands: openCommands.slice(0, 100) },
      });
    }
  }

  /** Presence that cannot be told now is of no use later. */
  async #say(sessionId: string | null, content: PresenceMessageContent): Promise<boolean> {
    if (this.#isStopping) return false;
    try {
      await this.#parts.channel.send('presence', this.#surroundings.reporter.presence(sessionId, content));
      return true;
    } catch {
      return false;
    }
  }

  #openSessions(): string[] {
    return [...this.#sessions.values()]
      .filter(({ isOver }) => !isOver)
      .map(({ sessionId }) => sessionId)
      .slice(0, 100);
  }

  // ---- receiving

  async #receive(delivery: Delivery): Promise<void> {
    if (this.#isStopping) return;
    const message = downwardMessage.safeParse(delivery.body);
    if (!message.success) {
      log(`a message was dropped: ${z.prettifyError(message.error)}`);
      await delivery.complete();
      return;
    }
    const { jws } = message.data;
    let payload: DownwardPayload;
    try {
      payload = await this.#parts.trust.verify(jws);
      this.#requireForUs(payload);
    } catch (error) {
      if (error instanceof KeysUnavailable) {
        // Not completed: it comes again when its lock has run out.
        log(`a message waits for its key: ${reasonOf(error)}`);
        return;
      }
      log(`a message was refused: ${reasonOf(error)}`);
      await delivery.complete();
      return;
    }
    logDetail(`received ${payload.kind} ${'commandId' in payload ? payload.commandId : payload.sessionId}`);
    try {
      await this.#obey(payload, message.data, delivery);
    } catch (error) {
      if (!isOutOfRoom(error)) throw error;
      // Not completed: it comes again when its lock has run out. What is in no journal was not done.
      log(`the disk is full: ${payload.kind} waits until there is room (${reasonOf(error)})`);
    }
  }

  #obey(
    payload: DownwardPayload,
    { jws, tickets }: z.infer<typeof downwardMessage>,
    delivery: Delivery,
  ): Promise<void> {
    switch (payload.kind) {
      case 'session.open':
        return this.#open(payload, delivery);
      case 'session.close':
        return this.#close(payload, delivery);
      case 'command.execute':
        return this.#execute(payload, jws, tickets, delivery);
      case 'command.cancel':
        return this.#cancel(payload, delivery);
    }
  }

  #requireForUs({ tenantId, deviceId }: DownwardPayload): void {
    const { identity } = this.#parts;
    if (tenantId !== identity.tenantId || deviceId !== identity.deviceId) {
      throw new Error('it is signed for another device');
    }
  }

  async #open({ sessionId, epoch, body }: Payload<'session.open'>, delivery: Delivery): Promise<void> {
    const { journal, reserve } = this.#parts;
    const now = new Date().toISOString();
    if (journal.session(sessionId) !== undefined) {
      // Answered before, or about to be.
      await delivery.complete();
      return;
    }
    const newest = journal.newestEpoch;
    const refusal =
      epoch <= newest
        ? {
            code: 'STALE_EPOCH',
            message: `The device has seen a newer session (epoch ${newest}, this one has ${epoch}).`,
          }
        : reserve.hold()
          ? undefined
          : diskFull;
    if (refusal !== undefined) {
      this.#surroundings.reporter.report(sessionId, { kind: 'session.refused', body: refusal }, () => {
        journal.acceptSession(sessionId, epoch, initialDirectory, now);
        journal.setSessionState(sessionId, 'closed');
      });
      log(`session ${sessionId} was refused: ${refusal.code}`);
      await delivery.complete();
      return;
    }
    const directory = body.directory ?? initialDirectory;
    const older = [...this.#sessions.values()];
    journal.acceptSession(sessionId, epoch, directory, now);
    const session = this.#sessionOf(sessionId, epoch, directory, false, []);
    this.#sessions.set(sessionId, session);
    await complete(delivery);
    void this.#supersede(older).then(() => session.start());
  }

  async #supersede(older: readonly LiveSession[]): Promise<void> {
    await Promise.all(
      older.map(async (session) => {
        this.#sessions.delete(session.sessionId);
        await session.close(superseded);
      }),
    );
  }

  async #close({ sessionId, epoch }: Payload<'session.close'>, delivery: Delivery): Promise<void> {
    const session = this.#live(sessionId, epoch);
    if (session !== undefined) {
      this.#sessions.delete(sessionId);
      // Completed when it is done: should the service die before, the message comes again.
      await session.close(null);
    }
    await delivery.complete();
  }

  async #execute(
    { sessionId, epoch, commandId, body }: Payload<'command.execute'>,
    jws: string,
    tickets: Tickets,
    delivery: Delivery,
  ): Promise<void> {
    const { journal, reserve, crashPoint } = this.#parts;
    const session = this.#live(sessionId, epoch);
    if (session === undefined) {
      log(`command ${commandId} was ignored: session ${sessionId} is not open here with epoch ${epoch}`);
      await delivery.complete();
      return;
    }
    const now = Date.now();
    const startWithin = Math.min(delivery.timeToLive ?? usualStartWithin, longestStartWithin);
    const canRun = reserve.hold();
    const isNew = journal.atomically(() => {
      journal.touchSession(sessionId, new Date(now).toISOString());
      return journal.receiveCommand(
        {
          commandId,
          sessionId,
          epoch,
          commandHash: commandHash(jws),
          receivedAt: new Date(now).toISOString(),
          startUntil: new Date(now + startWithin * 1000).toISOString(),
        },
        'received',
        { body, tickets },
      );
    });
    if (isNew && !canRun) {
      log(`command ${commandId} was refused: ${diskFull.code}`);
      session.refuse(commandId, diskFull);
      await delivery.complete();
      return;
    }
    if (!isNew) {
      if (journal.command(commandId)?.state === 'cancelled-before') {
        this.#surroundings.reporter.report(
          sessionId,
          { kind: 'command.ended', body: endedWithoutRun(commandId, 'Cancelled', true, null) },
          () => journal.markEnded(commandId, 'Cancelled'),
        );
      }
      await delivery.complete();
      return;
    }
    crashPoint('after-journal-before-complete');
    await complete(delivery);
    crashPoint('after-journal-before-spawn');
    session.execute(commandId);
  }

  async #cancel(
    { sessionId, epoch, commandId }: Payload<'command.cancel'>,
    delivery: Delivery,
  ): Promise<void> {
    const { journal } = this.#parts;
    const session = this.#live(sessionId, epoch);
    if (session !== undefined) {
      const now = new Date().toISOString();
      const isUnseen = journal.receiveCommand(
        { commandId, sessionId, epoch, commandHash: '', receivedAt: now, startUntil: now },
        'cancelled-before',
        null,
      );
      if (!isUnseen) session.cancel(commandId);
    }
    await delivery.complete();
  }

  #live(sessionId: string, epoch: number): LiveSession | undefined {
    const session = this.#sessions.get(sessionId);
    return session?.epoch === epoch && !session.isOver ? session : undefined;
  }

  /** Ends sessions that the backend must have ended while this device could not hear it. */
  #closeAbandoned(): void {
    const before = new Date(Date.now() - abandonedAfterMs).toISOString();
    for (const session of this.#sessions.values()) {
      const { touchedAt } = this.#parts.journal.session(session.sessionId) ?? {};
      if (touchedAt === undefined || touchedAt > before || session.openCommands.length > 0) continue;
      log(`session ${session.sessionId} was not spoken of for hours and is closed`);
      this.#sessions.delete(session.sessionId);
      void session.close(null);
    }
  }
}

const complete = (delivery: Delivery): Promise<unknown> => {
  const patience = new AbortController();
  return Promise.race([
    delivery.complete(),
    pause(completePatienceMs, undefined, { signal: patience.signal }).catch(() => undefined),
  ]).finally(() => patience.abort());
};
