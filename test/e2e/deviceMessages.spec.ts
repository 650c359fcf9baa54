import { randomUUID } from 'node:crypto';
import type { ServiceBusClient } from '@azure/service-bus';
import { type ServiceBusReceivedMessage } from '@azure/service-bus';
import { beforeAll, expect, it } from 'vitest';
import type { UpwardMessage } from '../../contracts/device.ts';
import { sha256 } from '../../evidence/canonical.ts';
import { messageHash } from '../../evidence/deviceSignature.ts';
import {
  aKeyPair,
  assertionOf,
  busClient,
  type Content,
  type EnrolledDevice,
  enrolDevices,
  openedContent,
  type PlayedAgent,
  playAgent,
  requestDeviceToken,
} from '../support/enrolledDevices.ts';
import { inPlayedSession, openPlayed } from '../support/playedSession.ts';
import { eventsOf, typesOf } from '../support/recordedEvents.ts';
import { eventually, responder } from '../support/responders.ts';
import { deadLettersWith } from '../support/storedItems.ts';

let strangers: readonly [EnrolledDevice, EnrolledDevice];

beforeAll(async () => {
  strangers = (await enrolDevices(2, 'stranger')) as unknown as readonly [EnrolledDevice, EnrolledDevice];
});

/** The refusal that was recorded for a message, once it is there. */
const refusalOf = (part: string) =>
  eventually('the refused message is kept', async () => {
    const letters = await deadLettersWith(part);
    return letters.length > 0 && letters;
  });

const versionOf = async (sessionId: string): Promise<number> =>
  (await responder('ana').session(sessionId)).version;

/** Says that a command of this session ended at once; sequence numbers are the caller's. */
const endedContent = (commandId: string, state = 'Completed'): Content => ({
  kind: 'command.ended',
  body: {
    commandId,
    state,
    started: { commandId, commandHash: '0'.repeat(64), deviceTime: new Date().toISOString() },
    output: [],
    cancelReached: false,
    exitCode: 0,
    duration: 0.01,
    error: null,
    directory: null,
    processesGone: true,
    files: [],
  },
});

/** Issues a command, takes it off the queue, and shows that a good message about it is applied: nothing is blocked. */
const proveUnblocked = async (
  agent: PlayedAgent,
  sessionId: string,
  sequence: number,
): Promise<readonly string[]> => {
  const ana = responder('ana');
  const { commandId } = await ana.issueCommand(sessionId, 'dir /');
  const down = await agent.next();
  expect(down).toMatchObject({ kind: 'command.execute', commandId, sessionId, body: { line: 'dir /' } });
  await agent.send(sessionId, agent.message(sessionId, sequence, endedContent(commandId)));
  await eventually('the good message is applied', async () => {
    const { state } = await ana.command(sessionId, commandId);
    return state === 'Completed';
  });
  return typesOf(ana, sessionId);
};

const opened = ['SessionRequested', 'SessionConnected'];
const ran = ['CommandIssued', 'CommandStarted', 'CommandCompleted'];

type Made = (agent: PlayedAgent, sessionId: string) => Promise<unknown> | unknown;
const startedContent = (): Content => ({
  kind: 'command.started',
  body: { commandId: randomUUID(), commandHash: 'a'.repeat(64), deviceTime: new Date().toISOString() },
});

const refused: readonly (readonly [what: string, code: string, make: Made])[] = [
  [
    'is not signed',
    'SIGNATURE_INVALID',
    (agent, sessionId) => ({ ...agent.message(sessionId, 2, startedContent()), signature: '' }),
  ],
  [
    'was signed by another key',
    'SIGNATURE_INVALID',
    (agent, sessionId) => agent.message(sessionId, 2, startedContent(), {}, aKeyPair().privateKey),
  ],
  [
    'was changed after it was signed',
    'SIGNATURE_INVALID',
    (agent, sessionId) => ({ ...agent.message(sessionId, 2, startedContent()), sequence: 3 }),
  ],
  [
    'has another body than was signed',
    'SIGNATURE_INVALID',
    (agent, sessionId) => ({
      ...agent.message(sessionId, 2, openedContent()),
      body: { ...(openedContent().body as object), directory: '/root' },
    }),
  ],
  [
    'names another key',
    'SIGNATURE_INVALID',
    (agent, sessionId) => agent.message(sessionId, 2, startedContent(), { kid: strangers[0].kid }),
  ],
  [
    'was signed by another enrolled device in the name of this one',
    'SIGNATURE_INVALID',
    (agent, sessionId) => agent.message(sessionId, 2, startedContent(), {}, strangers[0].privateKey),
  ],
  [
    'comes from another enrolled device about this session',
    'DEVICE_FOREIGN',
    (agent, sessionId) =>
      agent.message(
        sessionId,
        2,
        startedContent(),
        { deviceId: strangers[0].deviceId, kid: strangers[0].kid },
        strangers[0].privateKey,
      ),
  ],
  [
    'comes from a device that nobody enrolled',
    'DEVICE_UNKNOWN',
    (agent, sessionId) => agent.message(sessionId, 2, startedContent(), { deviceId: 'f'.repeat(40) }),
  ],
  [
    'names a tenant that is not served',
    'TENANT_UNKNOWN',
    (agent, sessionId) => agent.message(sessionId, 2, startedContent(), { tenantId: randomUUID() }),
  ],
  [
    'names another tenant',
    'DEVICE_UNKNOWN',
    (agent, sessionId) =>
      agent.message(sessionId, 2, startedContent(), { tenantId: '3c0f4b1e-52a8-4d8e-8d6b-1f7c90a2c002' }),
  ],
  [
    'is about a session that does not exist',
    'DEVICE_FOREIGN',
    (agent) => agent.message(randomUUID(), 2, startedContent()),
  ],
  [
    'names no session',
    'SESSION_UNKNOWN',
    (agent, sessionId) => agent.message(sessionId, 2, startedContent(), { sessionId: null }),
  ],
  [
    'is of an unknown kind',
    'MESSAGE_MALFORMED',
    (agent, sessionId) => agent.message(sessionId, 2, { kind: 'command.exploded', body: {} }),
  ],
  [
    'has a body of another shape',
    'MESSAGE_MALFORMED',
    (agent, sessionId) => agent.message(sessionId, 2, { kind: 'command.started', body: { commandId: 5 } }),
  ],
  [
    'has a member too many',
    'MESSAGE_MALFORMED',
    (agent, sessionId) => ({ ...agent.message(sessionId, 2, startedContent()), extra: true }),
  ],
  [
    'has a sequence of zero',
    'MESSAGE_MALFORMED',
    (agent, sessionId) => agent.message(sessionId, 0, startedContent()),
  ],
  [
    'is about a command that was never issued',
    'COMMAND_UNKNOWN',
    (agent, sessionId) => agent.message(sessionId, 2, startedContent()),
  ],
  ['is an object of something else', 'MESSAGE_MALFORMED', () => ({ hello: randomUUID() })],
  ['is text', 'MESSAGE_MALFORMED', () => `no message ${randomUUID()}`],
  ['is an array', 'MESSAGE_MALFORMED', () => [randomUUID()]],
];

it(
  'refuses what cannot be believed or cannot be true, keeps it, and goes on',
  {
    timeout: 180_000,
  },
  async () => {
    const ana = responder('ana');
    await inPlayedSession(async ({ agent, session: { sessionId, version } }) => {
      expect(version).toBe(2);
      for (const [what, code, make] of refused) {
        const bad = await make(agent, sessionId);
        await agent.send(sessionId, bad);
        const part =
          typeof bad === 'object' && bad !== null && 'signature' in bad
            ? (bad as UpwardMessage).messageId
            : typeof bad === 'string'
              ? bad
              : JSON.stringify(bad);
        // Message ids repeat from case to case; the content does not.
        const letters = await eventually(`the message that ${what} is kept`, async () => {
          const found = (await deadLettersWith(part)).filter(
            ({ content }) => content === JSON.stringify(bad),
          );
          return found.length > 0 && found;
        });
        expect([what, letters.map((letter) => letter.code)]).toEqual([what, [code]]);
        expect([what, await versionOf(sessionId)]).toEqual([what, 2]);
      }
      expect(await proveUnblocked(agent, sessionId, 2)).toEqual([...opened, ...ran]);
      expect((await ana.session(sessionId)).status).toBe('connected');
    });
  },
);

it('applies a message once that comes twice, and messages of the past not at all', async () => {
  const ana = responder('ana');
  await inPlayedSession(async ({ agent, session: { sessionId } }) => {
    const { commandId } = await ana.issueCommand(sessionId, 'dir /');
    const message = agent.message(sessionId, 2, endedContent(commandId));
    for (let time = 0; time < 3; time += 1) await agent.send(sessionId, message);
    await agent.next();
    expect(await proveUnblocked(agent, sessionId, 3)).toEqual([...opened, ...ran, ...ran]);
    const recorded = (await eventsOf(ana, sessionId)).filter(
      ({ data }) => (data['device'] as { readonly hash?: string } | undefined)?.hash === messageHash(message),
    );
    expect(recorded.map(({ type }) => type)).toEqual(['CommandStarted']);
    expect(recorded[0]?.metadata).toMatchObject({
      actor: { kind: 'device' },
      device: { sequence: 2, signature: message.signature },
    });
    expect(await deadLettersWith(message.messageId)).toEqual([]);
  });
});

it('ends a session whose device uses a number twice', async () => {
  const ana = responder('ana');
  await inPlayedSession(async ({ device, agent, session: { sessionId } }) => {
    const { commandId } = await ana.issueCommand(sessionId, 'dir /');
    const first = agent.message(sessionId, 1, openedContent());
    const second = agent.message(sessionId, 1, openedContent(['dir', 'processes', 'run', 'putfile']));
    expect(messageHash(first)).not.toBe(messageHash(second));
    await agent.send(sessionId, second);
    const session = await eventually('the session is lost', async () => {
      const now = await ana.session(sessionId);
      return now.status === 'ended' && now;
    });
    expect(session.end).toBe('Lost');
    const events = await eventsOf(ana, sessionId);
    expect(events.map(({ type }) => type)).toEqual([
      ...opened,
      'CommandIssued',
      'SequenceReused',
      'CommandLost',
      'SessionLost',
    ]);
    const [, , , reused, command, end] = events;
    expect(reused?.data).toMatchObject({ reusedSequence: 1, second: { hash: messageHash(second) } });
    expect(reused?.metadata).toMatchObject({
      actor: { kind: 'device', id: device.deviceId },
      device: { sequence: 1, signature: second.signature },
    });
    expect(command?.data).toMatchObject({ commandId, reason: 'SESSION_LOST' });
    expect(end?.data).toMatchObject({ reason: 'SEQUENCE_REUSED' });
    // Its slot is free, and what the device says about the old session now changes nothing.
    const late = agent.message(sessionId, 2, endedContent(commandId));
    await agent.send(sessionId, late);
    const next = await openPlayed(ana, device, agent);
    expect(next.sessionId).not.toBe(sessionId);
    await ana.disconnect(next.sessionId);
    const recorded = await eventually('the late result is recorded', async () => {
      const types = await typesOf(ana, sessionId);
      return types.length > 6 && types;
    });
    expect(recorded.slice(6)).toEqual(['LateResultRecorded']);
    expect((await ana.command(sessionId, commandId)).state).toBe('Lost');
  });
});

it('goes on after a gap, records it, and takes the missing message when it comes', async () => {
  const ana = responder('ana');
  await inPlayedSession(async ({ agent, session: { sessionId } }) => {
    const { commandId } = await ana.issueCommand(sessionId, 'dir /');
    await agent.next();
    const started = agent.message(sessionId, 3, {
      kind: 'command.started',
      body: { commandId, commandHash: '0'.repeat(64), deviceTime: new Date().toISOString() },
    });
    const text = 'one\n';
    const output = agent.message(sessionId, 4, {
      kind: 'command.output',
      body: {
        commandId,
        parts: [
          {
            part: 1,
            stream: 'result',
            offset: 0,
            size: 4,
            sha256: sha256(text),
            inline: { text },
            blob: null,
          },
        ],
      },
    });
    const ended = agent.message(sessionId, 6, {
      ...endedContent(commandId),
      body: { ...(endedContent(commandId).body as object), started: null },
    });
    await agent.send(sessionId, output);
    await eventually('the output is applied', async () =>
      (await typesOf(ana, sessionId)).includes('CommandOutputRecorded'),
    );
    await agent.send(sessionId, started);
    await agent.send(sessionId, ended);
    await eventually(
      'the end is applied',
      async () => (await ana.command(sessionId, commandId)).state === 'Completed',
    );
    const events = await eventsOf(ana, sessionId);
    expect(events.map(({ type }) => type)).toEqual([
      ...opened,
      'CommandIssued',
      'SequenceGapRecorded',
      'CommandOutputRecorded',
      'CommandStarted',
      'SequenceGapRecorded',
      'CommandCompleted',
    ]);
    expect(events[3]?.data).toMatchObject({ from: 2, to: 3 });
    expect(events[6]?.data).toMatchObject({ from: 5, to: 5 });
    expect(await new Response(await ana.output(sessionId, commandId)).text()).toBe(text);
  });
});

it('changes nothing in an ended session', async () => {
  const ana = responder('ana');
  await inPlayedSession(async ({ device, agent, session: { sessionId } }) => {
    await ana.disconnect(sessionId);
    // No lie: the device answered while somebody ended the session.
    await agent.send(sessionId, agent.message(sessionId, 2, openedContent()));
    const ended = agent.message(sessionId, 3, endedContent(randomUUID()));
    await agent.send(sessionId, ended);
    expect((await refusalOf(ended.messageId)).map(({ code }) => code)).toEqual(['COMMAND_UNKNOWN']);
    expect(await typesOf(ana, sessionId)).toEqual([...opened, 'SessionDisconnected']);
    // What belongs to one session is no use in the next, even on the same device.
    const next = await openPlayed(ana, device, agent);
    const replayed = agent.message(sessionId, 1, openedContent());
    await agent.send(next.sessionId, replayed);
    expect(await proveUnblocked(agent, next.sessionId, 2)).toEqual([...opened, ...ran]);
    await ana.disconnect(next.sessionId);
  });
});

const codeOf = async (work: () => Promise<unknown>): Promise<string> => {
  try {
    await work();
    return 'allowed';
  } catch (error) {
    return String((error as { readonly code?: unknown }).code ?? error);
  }
};

it('gives a device tokens that reach its own queue and nothing else', async () => {
  const [one, other] = strangers;
  const [agent, victim] = await Promise.all([playAgent(one), playAgent(other)]);
  const clients: ServiceBusClient[] = [];
  const client = (namespace: string, token: string): ServiceBusClient => {
    const made = busClient(namespace, token);
    clients.push(made);
    return made;
  };
  const receive = (bus: ServiceBusClient, queue: string): Promise<ServiceBusReceivedMessage[]> =>
    bus.createReceiver(queue).receiveMessages(1, { maxWaitTimeInMs: 500 });
  const send = (bus: ServiceBusClient, queue: string): Promise<void> =>
    bus.createSender(queue).sendMessages({ body: 'x', sessionId: 'x', messageId: randomUUID() });
  try {
    const { namespace, queue, listenToken, sendToken, messagesQueue, presenceQueue } = agent.access;
    // In the victim's own namespace, so that only the token's path can keep it out.
    const inVictims = victim.access.namespace;
    expect(queue).toBe(`device-${one.deviceId}`);
    expect(await codeOf(() => receive(client(namespace, listenToken), queue))).toBe('allowed');
    expect(await codeOf(() => send(client(namespace, sendToken), messagesQueue))).toBe('allowed');
    for (const [what, work] of [
      ['listen on the queue of another', () => receive(client(inVictims, listenToken), victim.access.queue)],
      [
        'listen on a queue whose name begins the same',
        () => receive(client(namespace, listenToken), `${queue}0`),
      ],
      ['listen on the upward queue', () => receive(client(namespace, listenToken), messagesQueue)],
      ['listen on the presence queue', () => receive(client(namespace, listenToken), presenceQueue)],
      ['send with the Listen token', () => send(client(namespace, listenToken), messagesQueue)],
      ['send to its own queue', () => send(client(namespace, listenToken), queue)],
      ['send down to itself', () => send(client(namespace, sendToken), queue)],
      ['send down to another', () => send(client(inVictims, sendToken), victim.access.queue)],
      ['listen with the Send token', () => receive(client(namespace, sendToken), queue)],
      [
        'listen upwards with the Send token',
        () =>
          client(namespace, sendToken)
            .acceptNextSession(messagesQueue, { maxAutoLockRenewalDurationInMs: 0 })
            .then((receiver) => receiver.close()),
      ],
    ] as const) {
      expect([what, await codeOf(work)]).toEqual([what, 'UnauthorizedAccess']);
    }
  } finally {
    await Promise.all([agent.close(), victim.close(), ...clients.map((made) => made.close())]);
  }
});

it('refuses assertions that are replayed, foreign, too old or about somebody else', async () => {
  const [device, other] = strangers;
  const now = Math.floor(Date.now() / 1000);
  const good = await assertionOf(device);
  expect((await requestDeviceToken(device.deviceId, good)).status).toBe(200);
  const wrong: Readonly<Record<string, string>> = {
    replayed: good,
    'signed by another key': await assertionOf(device, {}, aKeyPair().privateKey),
    'signed by another device': await assertionOf(device, {}, other.privateKey),
    'about another device': await assertionOf(device, { sub: other.deviceId }),
    'from another device': await assertionOf(device, { iss: other.deviceId }),
    'for enrolment': await assertionOf(device, { aud: 'urn:live-response:enrol' }),
    expired: await assertionOf(device, { iat: now - 900, exp: now - 700 }),
    'valid for too long': await assertionOf(device, { exp: now + 3_600 }),
    'without a number': await assertionOf(device, { jti: undefined }),
    'without expiry': await assertionOf(device, { exp: undefined }),
    'of a tenant that is not served': await assertionOf(device, { tid: randomUUID() }),
    'of another tenant': await assertionOf(device, { tid: '3c0f4b1e-52a8-4d8e-8d6b-1f7c90a2c002' }),
    nonsense: 'a.b.c',
  };
  for (const [what, assertion] of Object.entries(wrong)) {
    const { status, body } = await requestDeviceToken(device.deviceId, assertion);
    expect([what, status, body['code']]).toEqual([what, 401, 'UNAUTHENTICATED']);
  }
  const forOther = await requestDeviceToken(other.deviceId, await assertionOf(device));
  expect(forOther.status).toBe(401);
  for (const deviceId of ['x', 'x'.repeat(3_000), device.deviceId.toUpperCase(), '%00', 'a%2Fb']) {
    const answer = await requestDeviceToken(deviceId, await assertionOf({ ...device, deviceId }));
    expect([deviceId, answer.status]).toEqual([deviceId, 401]);
  }
  const atOnce = await assertionOf(device);
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => requestDeviceToken(device.deviceId, atOnce)),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401]);
});

it('cuts a retired device off: no tokens, no queue, no session', async () => {
  const ana = responder('ana');
  const [device] = (await enrolDevices(1, 'retiring')) as [EnrolledDevice];
  const agent = await playAgent(device);
  try {
    expect(await codeOf(() => agent.listening.createReceiver(agent.access.queue).peekMessages(1))).toBe(
      'allowed',
    );
    await ana.retireDevice(device.deviceId);
    const refusal = await requestDeviceToken(device.deviceId, await assertionOf(device));
    expect([refusal.status, refusal.body['code']]).toEqual([401, 'UNAUTHENTICATED']);
    const later = busClient(agent.access.namespace, agent.access.listenToken);
    try {
      expect(await codeOf(() => later.createReceiver(agent.access.queue).peekMessages(1))).toBe(
        'MessagingEntityNotFound',
      );
    } finally {
      await later.close();
    }
    await expect(ana.openSession({ deviceId: device.deviceId, reason: 'test' })).rejects.toMatchObject({
      code: 'DEVICE_UNKNOWN',
    });
    expect((await ana.device(device.deviceId)).status).toBe('retired');
    // Twice is once.
    await ana.retireDevice(device.deviceId);
  } finally {
    await agent.close();
  }
});
