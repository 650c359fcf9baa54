import type { SessionEvent } from '../../domain/session/events.ts';
import { describe, expect, it } from 'vitest';
import { session } from '../../domain/session/index.ts';
import { specification } from '../support/given.ts';
import {
  apply,
  at,
  connected,
  endedMessage,
  issue,
  issued,
  message,
  openedMessage,
  requested,
  started,
} from '../support/sessions.ts';

const { given } = specification(session);

describe('opening', () => {
  it('is connected by the device', () => {
    const events = given(requested()).when(apply(openedMessage())).events();
    expect(events.map(({ type }) => type)).toEqual(['SessionConnected']);
    expect(events[0]?.data).toMatchObject({
      hostName: 'web-1',
      resumed: false,
      device: { sequence: 1, kind: 'session.opened' },
    });
  });
  it('answers the same request again with nothing new', () => {
    const data = requested().data as Extract<
      ReturnType<typeof requested>,
      { type: 'SessionRequested' }
    >['data'];
    const { requestedAt, ...request } = data;
    given(requested())
      .when({ type: 'RequestSession', ...request, now: at(9) })
      .thenNothing();
    given(requested())
      .when({ type: 'RequestSession', ...request, requestHash: 'other', now: at(9) })
      .thenRefuses('IDEMPOTENCY_MISMATCH');
    expect(requestedAt).toBe(at(0));
  });
  it('is fenced off when it was abandoned', () => {
    const abandoned = {
      type: 'SessionAbandoned',
      data: { sessionId: 's1', deviceId: 'd1', reason: 'gone', at: at(0) },
    } as const;
    const { requestedAt: _, ...request } = requested().data as Extract<
      ReturnType<typeof requested>,
      { type: 'SessionRequested' }
    >['data'];
    given(abandoned)
      .when({ type: 'RequestSession', ...request, now: at(1) })
      .thenRefuses('SESSION_ABANDONED');
    given(requested())
      .when({ type: 'AbandonSession', sessionId: 's1', deviceId: 'd1', reason: 'gone', now: at(1) })
      .thenNothing();
  });
  it('ends when the device refuses or does not answer', () => {
    given(requested())
      .when(apply(message(1, { kind: 'session.refused', body: { code: 'STALE_EPOCH', message: 'old' } })))
      .thenTypes('SessionRefused');
    given(requested())
      .when({ type: 'DeclareUnanswered', now: at(181) })
      .thenTypes('SessionUnanswered');
    given(requested(), connected)
      .when({ type: 'DeclareUnanswered', now: at(181) })
      .thenNothing();
  });
});

describe('issuing a command', () => {
  it('needs a connected session', () => {
    given().when(issue('c1')).thenRefuses('SESSION_UNKNOWN');
    given(requested()).when(issue('c1')).thenRefuses('SESSION_NOT_CONNECTED');
    given(requested(), connected, { type: 'SessionDisconnected', data: { by: 'ana', at: at(2) } })
      .when(issue('c1'))
      .thenRefuses('SESSION_ENDED');
  });
  it('happens once per id', () => {
    given(requested(), connected, issued('c1')).when(issue('c1')).thenNothing();
    given(requested(), connected, issued('c1'))
      .when(issue('c1', { requestHash: 'f'.repeat(64) }))
      .thenRefuses('IDEMPOTENCY_MISMATCH');
  });
  it('knows its id even when it has ended', () => {
    const ended = given(requested(), connected, issued('c1'))
      .when(apply(endedMessage(1, 'c1')))
      .events();
    given(requested(), connected, issued('c1'), ...ended)
      .when(issue('c1'))
      .thenNothing();
  });
  it('has one foreground, and says who holds it', () => {
    const refusal = given(requested(), connected, issued('c1'))
      .when(issue('c2'))
      .thenRefuses('FOREGROUND_BUSY');
    expect(refusal?.details).toMatchObject({ commandId: 'c1', name: 'dir' });
    given(requested(), connected, issued('c1'))
      .when(issue('c2', { background: true }))
      .thenTypes('CommandIssued');
    given(requested(), connected, issued('c1', { background: true }))
      .when(issue('c2'))
      .thenTypes('CommandIssued');
  });
  it('has a limit in the background', () => {
    const limited = requested({ backgroundCommands: 2 });
    const busy = ['c1', 'c2'].map((id) => issued(id, { background: true }));
    given(limited, connected, ...busy)
      .when(issue('c3', { background: true }))
      .thenRefuses('BACKGROUND_LIMIT');
    given(limited, connected, ...busy)
      .when(issue('c3'))
      .thenTypes('CommandIssued');
  });
  it('is refused when the session took its fill', () => {
    const many = Array.from({ length: 2_000 }, (_, index) => [
      issued(`c${index}`),
      {
        type: 'CommandLost',
        data: { commandId: `c${index}`, reason: 'SILENT', message: '', at: at(3) },
      } as const,
    ]).flat();
    given(requested(), connected, ...many)
      .when(issue('more'))
      .thenRefuses('SESSION_FULL');
  });
  it('ends at once when no device is needed', () => {
    const output = { inline: '{}\n', blob: null, size: 3, sha256: 'd'.repeat(64) };
    const ask = {
      ...issue('c1', { name: 'jobs', signed: null }),
      type: 'AnswerCommand',
      answer: { error: null, output, file: null, foreground: null },
    } as const;
    given(requested(), connected)
      .when(ask as never)
      .thenTypes('CommandIssued', 'CommandOutputRecorded', 'CommandCompleted');
    const { sha256 } = output;
    const file = {
      fileId: 'c1-output',
      name: 'r',
      path: { text: 'r' },
      size: 3,
      sha256,
      etag: 'e',
      blob: 'b/c',
    };
    const kept = { ...ask, answer: { ...ask.answer, file } };
    given(requested(), connected)
      .when(kept as never)
      .thenTypes('CommandIssued', 'CommandOutputRecorded', 'FileCollected', 'CommandCompleted');
    // It does not need the foreground either.
    given(requested(), connected, issued('c9'))
      .when(ask as never)
      .thenTypes('CommandIssued', 'CommandOutputRecorded', 'CommandCompleted');
  });
});

describe('what the device says about a command', () => {
  const history = [requested(), connected, issued('c1')] as const;

  it('says when detailed logging goes on and off, and only for the command that follows it', () => {
    const trace = issued('t1', { name: 'trace', line: 'trace' });
    const startedBody = { commandId: 't1', commandHash: 'c'.repeat(64), deviceTime: at(3) };
    given(requested(), connected, trace)
      .when(apply(message(1, { kind: 'command.started', body: startedBody })))
      .thenTypes('CommandStarted', 'TraceChanged');
    given(requested(), connected, trace, started('t1'))
      .when(apply(endedMessage(1, 't1', { started: null, state: 'Cancelled' })))
      .thenTypes('TraceChanged', 'CommandCancelled');
    given(requested(), connected, trace)
      .when(apply(endedMessage(1, 't1', { started: null, state: 'Cancelled' })))
      .thenTypes('CommandCancelled');
    const off = issued('t2', { name: 'trace', line: 'trace off', parameters: { state: 'off' } });
    given(requested(), connected, off)
      .when(apply(endedMessage(1, 't2')))
      .thenTypes('CommandStarted', 'CommandCompleted');
  });

  it('makes one append of a command that ended quickly', () => {
    const part = {
      part: 1,
      stream: 'result',
      offset: 0,
      size: 3,
      sha256: 'd'.repeat(64),
      inline: { text: '{}\n' },
      blob: null,
    } as const;
    const events = given(...history)
      .when(apply(endedMessage(1, 'c1', { output: [part] })))
      .events();
    expect(events.map(({ type }) => type)).toEqual([
      'CommandStarted',
      'CommandOutputRecorded',
      'CommandCompleted',
    ]);
    // The message is kept once, in the first event made from it.
    expect(events.filter((event) => 'device' in event.data)).toHaveLength(1);
    expect(events[0]?.data).toHaveProperty('device.body.commandId', 'c1');
  });
  it.each(['Completed', 'Failed', 'Cancelled', 'TimedOut'] as const)('ends it as %s, once', (state) => {
    const events = given(...history)
      .when(apply(endedMessage(1, 'c1', { state })))
      .events();
    expect(events.at(-1)?.type).toBe(`Command${state}`);
    given(...history, ...events)
      .when(apply(endedMessage(1, 'c1', { state })))
      .thenNothing();
    given(...history, ...events)
      .when(apply(endedMessage(2, 'c1', { state: 'Failed' })))
      .thenRefuses('COMMAND_ENDED');
  });
  it('never lets a command complete that was not started', () => {
    given(...history)
      .when(apply(endedMessage(1, 'c1', { started: null })))
      .thenRefuses('COMMAND_NOT_STARTED');
    given(...history)
      .when(apply(endedMessage(1, 'c1', { started: null, state: 'Cancelled' })))
      .thenTypes('CommandCancelled');
  });
  it('records what comes after Lost, and rewrites nothing', () => {
    const lost = {
      type: 'CommandLost',
      data: { commandId: 'c1', reason: 'SILENT', message: '', at: at(4) },
    } as const;
    given(...history, lost)
      .when(apply(endedMessage(1, 'c1')))
      .thenTypes('LateResultRecorded');
    expect(
      given(...history, lost)
        .when(apply(endedMessage(1, 'c1')))
        .state().closed['c1'],
    ).toMatch(/^Lost:/);
  });
  it('refuses output with a hole and commands that were never issued', () => {
    const part = {
      part: 2,
      stream: 'result',
      offset: 3,
      size: 1,
      sha256: 'd'.repeat(64),
      inline: { text: 'x' },
      blob: null,
    } as const;
    given(...history, started('c1'))
      .when(apply(message(1, { kind: 'command.output', body: { commandId: 'c1', parts: [part] } })))
      .thenRefuses('OUTPUT_OUT_OF_ORDER');
    given(...history)
      .when(apply(endedMessage(1, 'never')))
      .thenRefuses('COMMAND_UNKNOWN');
  });
  it('changes the directory only by the word of the device', () => {
    expect(
      given(...history)
        .when(apply(endedMessage(1, 'c1', { directory: '/etc' })))
        .state().directory,
    ).toBe('/etc');
  });
});

describe('numbers of device messages', () => {
  const opened = given(requested())
    .when(apply(openedMessage(1)))
    .events();
  const history = [requested(), ...opened, issued('c1'), issued('c2', { background: true })] as const;

  it('drops a repeat, records a gap, applies what comes late', () => {
    given(...history)
      .when(apply(openedMessage(1)))
      .thenNothing();
    const gap = given(...history)
      .when(apply(endedMessage(4, 'c2')))
      .events();
    expect(gap[0]).toMatchObject({ type: 'SequenceGapRecorded', data: { from: 2, to: 3 } });
    given(...history, ...gap)
      .when(apply(endedMessage(3, 'c1')))
      .thenTypes('CommandStarted', 'CommandCompleted');
    given(...history, ...gap)
      .when(apply(endedMessage(4, 'c2')))
      .thenNothing();
  });
  it('calls nothing a gap that was no news after the end, and still takes what comes late', () => {
    const ended = given(...history)
      .when({ type: 'Disconnect', by: 'ana', now: at(9) })
      .events();
    given(...history, ...ended)
      .when(apply(openedMessage(2)))
      .thenNothing();
    const third = given(...history, ...ended)
      .when(apply(endedMessage(3, 'c2', { state: 'Cancelled' })))
      .events();
    expect(third.map(({ type }) => type)).toEqual(['CommandStarted', 'CommandCancelled']);
    given(...history, ...ended, ...third)
      .when(apply(endedMessage(2, 'c1')))
      .thenTypes('CommandStarted', 'CommandCompleted');
  });
  it('ends the session when a number is used for two messages', () => {
    const reused = { ...openedMessage(1), hash: 'another' };
    given(...history)
      .when(apply(reused))
      .thenTypes('SequenceReused', 'CommandLost', 'CommandLost', 'SessionLost');
    const [alarm] = given(...history)
      .when(apply(reused))
      .events();
    expect(alarm?.data).toMatchObject({
      firstHash: 'hash-of-1',
      second: { hash: 'another', kind: 'session.opened', sequence: 1 },
    });
  });
  it('tells a late repeat from a device whose journal was set back, also when hashes are forgotten', () => {
    const recorded: SessionEvent[] = [requested()];
    for (let sequence = 1; sequence <= 80; sequence += 1) {
      recorded.push(
        ...given(...recorded)
          .when(apply(openedMessage(sequence)))
          .events(),
      );
    }
    given(...recorded)
      .when(apply(openedMessage(3)))
      .thenNothing();
    given(...recorded)
      .when(apply({ ...openedMessage(3), run: 'run-2', hash: 'another' }))
      .thenTypes('SequenceReused', 'SessionLost');
    given(...recorded)
      .when(apply({ ...openedMessage(81), run: 'run-2' }))
      .thenTypes('SessionConnected');
  });
});

describe('ending', () => {
  it('asks open commands to stop and still hears how they ended', () => {
    const ended = given(requested(), connected, issued('c1'))
      .when({ type: 'Disconnect', by: 'ana', now: at(9) })
      .events();
    expect(ended.map(({ type }) => type)).toEqual(['CommandCancelRequested', 'SessionDisconnected']);
    given(requested(), connected, issued('c1'), ...ended)
      .when(apply(endedMessage(1, 'c1', { state: 'Cancelled', started: null })))
      .thenTypes('CommandCancelled');
    given(requested(), connected, ...ended.slice(1))
      .when(apply(openedMessage(3)))
      .thenNothing();
  });
  it('happens once, and never over an open command by itself', () => {
    given(requested(), connected)
      .when({ type: 'Expire', now: at(1900) })
      .thenTypes('SessionExpired');
    given(requested(), connected, issued('c1'))
      .when({ type: 'Expire', now: at(1900) })
      .thenNothing();
    given(requested(), connected, issued('c1'))
      .when({ type: 'DeclareSessionLost', silent: 600, now: at(700) })
      .thenTypes('CommandLost', 'SessionLost');
  });
});
