import { expect, it } from 'vitest';
import type { DomainEvent, EventEnvelope } from '../../domain/envelope.ts';
import { type SessionEvent, sessionStream } from '../../domain/session/index.ts';
import { sealEvents, streamSeed } from '../../evidence/hashChain.ts';
import {
  type CommandFacts,
  commandFaults,
  leakedSlots,
  requireSoundSession,
  type StoredStream,
  storeFaults,
} from '../support/faultHistory.ts';
import { at, issued, started } from '../support/sessions.ts';

/** The checks of the fault tests, on histories that are wrong on purpose: a check that cannot fail proves nothing. */
const completed = (commandId: string): SessionEvent => ({
  type: 'CommandCompleted',
  data: {
    commandId,
    exitCode: null,
    duration: 1,
    error: null,
    directory: null,
    processesGone: true,
    at: at(4),
  },
});
const lost = (commandId: string): SessionEvent => ({
  type: 'CommandLost',
  data: { commandId, reason: 'SILENT', message: 'Nothing was heard.', at: at(4) },
});

const sealed = (streamId: string, events: readonly DomainEvent[]): readonly EventEnvelope[] =>
  sealEvents('tenant', streamId, { version: 0, hash: streamSeed(streamId) }, events, {
    actor: { kind: 'system', id: 'test', name: 'test' },
    correlationId: 'c',
    causationId: 'c',
    traceparent: null,
    recordedAt: at(0),
  });
const session = (...events: readonly SessionEvent[]) => sealed(sessionStream('s1'), events);
const sound = session(issued('c1'), started('c1'), completed('c1'));
const headOf = (events: readonly EventEnvelope[]) => ({
  version: events.length,
  hash: events.at(-1)?.hash ?? '',
});
const stored = (streamId: string, events: readonly EventEnvelope[]): StoredStream => ({
  streamId,
  events,
  head: headOf(events),
});

it.each<[string, readonly EventEnvelope[], CommandFacts]>([
  ['was accepted and is not in the history', session(), { accepted: ['c1'], executions: [] }],
  [
    'was issued 2 times',
    session(issued('c1'), issued('c1'), started('c1'), completed('c1')),
    { accepted: ['c1'], executions: ['c1'] },
  ],
  ['has no end', session(issued('c1'), started('c1')), { accepted: ['c1'], executions: ['c1'] }],
  [
    'ended 2 times',
    session(issued('c1'), started('c1'), completed('c1'), lost('c1')),
    { accepted: ['c1'], executions: ['c1'] },
  ],
  [
    'was started 2 times',
    session(issued('c1'), started('c1'), started('c1'), completed('c1')),
    { accepted: ['c1'], executions: ['c1'] },
  ],
  ['ran 2 times', session(issued('c1'), lost('c1')), { accepted: ['c1'], executions: ['c1', 'c1'] }],
  ['is Completed and ran 0 times', session(issued('c1'), completed('c1')), { accepted: [], executions: [] }],
  [
    'is said to have started and never ran',
    session(issued('c1'), started('c1'), lost('c1')),
    { accepted: ['c1'], executions: [] },
  ],
  ['was refused and ran', session(), { accepted: [], refused: ['c1'], executions: ['c1'] }],
])('finds that a command %s', (fault, events, facts) => {
  expect(commandFaults(events, facts)).toContainEqual({ commandId: 'c1', fault });
  expect(() => requireSoundSession(events, facts)).toThrow(`command c1 ${fault}`);
});

it('finds nothing in a history that is sound', () => {
  const facts = { accepted: ['c1'], executions: ['c1'] };
  expect(commandFaults(sound, facts)).toEqual([]);
  requireSoundSession(sound, facts);
  expect(storeFaults([stored('session-s1', sound)])).toEqual([]);
});

it('finds changed, missing and unfinished streams', () => {
  const changed = sound.map((event) => (event.version === 2 ? { ...event, type: 'CommandLost' } : event));
  expect(() => requireSoundSession(changed, { accepted: [], executions: ['c1'] })).toThrow('was changed');
  expect(storeFaults([stored('session-s1', changed)])).not.toEqual([]);
  expect(storeFaults([{ ...stored('session-s1', sound), events: sound.slice(0, 2) }])).not.toEqual([]);
  expect(storeFaults([{ ...stored('session-s1', sound), head: undefined }])).not.toEqual([]);
});

it('finds slots that are held for sessions that have ended or never were', () => {
  const taken = sealed(
    'slots-tenant',
    ['s1', 's2', 's3'].map((sessionId, index) => ({
      type: 'SlotTaken',
      data: { sessionId, deviceId: `d${index}`, userId: 'ana', epoch: index + 1, at: at(0) },
    })),
  );
  const ended = sealed('session-s2', [{ type: 'SessionDisconnected', data: { by: 'ana', at: at(1) } }]);
  expect(
    leakedSlots([stored('slots-tenant', taken), stored('session-s1', sound), stored('session-s2', ended)]),
  ).toEqual(['s2', 's3']);
});
