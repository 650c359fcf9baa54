import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { DeviceIdentity } from '../../agent/journal/report.ts';
import { CommandTrust } from '../../agent/service/commandTrust.ts';
import { Backend } from '../../agent/transport/backend.ts';
import type { Delivery, UpwardQueue } from '../../agent/transport/channel.ts';
import { ServiceBusChannel } from '../../agent/transport/serviceBusChannel.ts';
import { agentVersion } from '../../agent/version.ts';
import {
  type DownwardPayload,
  downwardMessage,
  type PresenceMessageContent,
  type SessionMessageContent,
} from '../../contracts/device.ts';
import { fixedLimits } from '../../domain/limits.ts';
import { commandHash } from '../../evidence/commandSignature.ts';
import { signMessage } from '../../evidence/deviceSignature.ts';
import { privateKeyOf, type SimulatedIdentity } from './identity.ts';

/** What simulated devices did so far. */
export interface FleetCounts {
  /** Devices that could be commanded at least once. */
  connected: number;
  heartbeats: number;
  sessions: number;
  commands: number;
  /** Messages that did not go out at the first try. */
  sendFaults: number;
}

export const noCounts = (): FleetCounts => ({
  connected: 0,
  heartbeats: 0,
  sessions: 0,
  commands: 0,
  sendFaults: 0,
});

interface SimulatedSession {
  readonly epoch: number;
  sequence: number;
  /** Messages leave one after the other, as the agent's spool sends them. */
  sending: Promise<void>;
  readonly seen: Set<string>;
}

/**
 * A device without a machine: the agent's transport, trust and signatures, and one command, `cd`, that always succeeds. It has
 * no journal: what was under way when it ends is lost, as on a device whose disk is gone.
 */
export class SimulatedDevice {
  readonly #simulated: SimulatedIdentity;
  readonly #identity: DeviceIdentity;
  readonly #counts: FleetCounts;
  readonly #channel: ServiceBusChannel;
  readonly #trust: CommandTrust;
  readonly #sessions = new Map<string, SimulatedSession>();
  readonly #run = randomUUID();
  readonly #alive: NodeJS.Timeout;
  /** The backend ignores presence with an older number than the newest it heard, also from earlier runs. */
  #presenceSequence = Date.now();
  #newestEpoch = 0;
  #heartbeat: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(simulated: SimulatedIdentity, counts: FleetCounts) {
    const { tenantId, deviceId, kid, server } = simulated;
    this.#simulated = simulated;
    this.#counts = counts;
    const privateKey = privateKeyOf(simulated);
    this.#identity = { tenantId, deviceId, kid, privateKey };
    const backend = new Backend(server);
    this.#trust = new CommandTrust(
      simulated.keySet,
      () => backend.keySets(),
      () => undefined,
    );
    this.#channel = new ServiceBusChannel(async () => {
      const token = await backend.token(this.#identity, privateKey);
      await this.#trust.follow(token.keySets);
      return token;
    });
    this.#alive = setInterval(() => this.#sayAlive(), fixedLimits.aliveEvery * 1000);
  }

  /** Resolves when the device can be commanded for the first time. */
  async start(): Promise<void> {
    const connected = new Promise<void>((resolve) => {
      this.#channel.onConnected(() => {
        void this.#greet();
        resolve();
      });
    });
    this.#channel.start((delivery) => this.#receive(delivery));
    await connected;
    this.#counts.connected += 1;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#alive);
    clearTimeout(this.#heartbeat);
    await this.#channel.close();
  }

  // ---- presence

  async #greet(): Promise<void> {
    await this.#say(null, {
      kind: 'device.hello',
      body: {
        agentVersion,
        platform: 'linux',
        hostName: this.#simulated.name,
        osVersion: 'simulated',
        openSessions: [...this.#sessions.keys()],
        addresses: [],
      },
    });
    this.#scheduleHeartbeat(Math.random());
  }

  /** The first beats of a fleet that started together are spread over one interval. */
  #scheduleHeartbeat(share: number): void {
    clearTimeout(this.#heartbeat);
    if (this.#isStopping) return;
    this.#heartbeat = setTimeout(
      async () => {
        const isHeard = await this.#say(null, {
          kind: 'device.heartbeat',
          body: { openSessions: [...this.#sessions.keys()] },
        });
        if (isHeard) this.#counts.heartbeats += 1;
        this.#scheduleHeartbeat(1);
      },
      this.#channel.heartbeatEvery * 1000 * share,
    );
  }

  #sayAlive(): void {
    for (const sessionId of this.#sessions.keys())
      void this.#say(sessionId, { kind: 'session.alive', body: { openCommands: [] } });
  }

  /** False when the message was not taken: presence is not repeated. */
  async #say(sessionId: string | null, content: PresenceMessageContent): Promise<boolean> {
    this.#presenceSequence += 1;
    try {
      await this.#send('presence', sessionId, this.#presenceSequence, content);
      return true;
    } catch {
      this.#counts.sendFaults += 1;
      return false;
    }
  }

  // ---- sessions

  async #receive(delivery: Delivery): Promise<void> {
    const { jws } = downwardMessage.parse(delivery.body);
    const payload = await this.#trust.verify(jws);
    switch (payload.kind) {
      case 'session.open':
        this.#open(payload);
        break;
      case 'session.close':
        this.#sessions.delete(payload.sessionId);
        break;
      case 'command.execute':
        this.#execute(payload, jws);
        break;
      case 'command.cancel':
        // Its one command is over before a cancel can arrive.
        break;
    }
    await delivery.complete();
  }

  #open({ sessionId, epoch }: DownwardPayload): void {
    if (epoch <= this.#newestEpoch) return;
    this.#newestEpoch = epoch;
    this.#sessions.clear();
    this.#sessions.set(sessionId, { epoch, sequence: 0, sending: Promise.resolve(), seen: new Set() });
    this.#counts.sessions += 1;
    this.#report(sessionId, {
      kind: 'session.opened',
      body: {
        agentVersion,
        platform: 'linux',
        hostName: this.#simulated.name,
        osVersion: 'simulated',
        capabilities: ['cd'],
        directory: '/',
        resumed: false,
      },
    });
  }

  #execute(payload: Extract<DownwardPayload, { kind: 'command.execute' }>, jws: string): void {
    const { sessionId, commandId, epoch, body } = payload;
    const session = this.#sessions.get(sessionId);
    if (session?.epoch !== epoch || session.seen.has(commandId)) return;
    session.seen.add(commandId);
    this.#counts.commands += 1;
    this.#report(sessionId, {
      kind: 'command.ended',
      body: {
        commandId,
        state: 'Completed',
        started: { commandId, commandHash: commandHash(jws), deviceTime: new Date().toISOString() },
        output: [],
        cancelReached: false,
        exitCode: null,
        duration: 0,
        error: null,
        directory: String(body.parameters['path'] ?? '/'),
        processesGone: true,
        files: [],
      },
    });
  }

  #report(sessionId: string, content: SessionMessageContent): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    session.sequence += 1;
    const { sequence } = session;
    session.sending = session.sending.then(async () => {
      const messageId = randomUUID();
      while (!this.#isStopping) {
        try {
          await this.#send('messages', sessionId, sequence, content, messageId);
          return;
        } catch {
          this.#counts.sendFaults += 1;
          await pause(500 + Math.random() * 500);
        }
      }
    });
  }

  #send(
    queue: UpwardQueue,
    sessionId: string | null,
    sequence: number,
    content: { readonly kind: string; readonly body: unknown },
    messageId: string = randomUUID(),
  ): Promise<void> {
    const { tenantId, deviceId, kid, privateKey } = this.#identity;
    const message = signMessage(
      {
        v: 1,
        messageId,
        tenantId,
        deviceId,
        sessionId,
        kid,
        run: this.#run,
        sequence,
        previousRun: null,
        previousLast: 0,
        kind: content.kind,
        body: content.body,
      },
      privateKey,
    );
    return this.#channel.send(queue, message);
  }
}
