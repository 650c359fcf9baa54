import { afterEach, expect, it } from 'vitest';
import { chainFaults } from '../../evidence/hashChain.ts';
import { type Envelope, LiveResponseClient } from '../index.ts';
import { readServerSentEvents } from '../serverSentEvents.ts';
import { type Call, type RunningServer, sendEvents, startServer } from './contractServer.ts';
import { aCommand, aSession, sessionId, someEvents } from './shapes.ts';

let server: RunningServer | undefined;
afterEach(async () => {
  await server?.close();
});

const commandId = aCommand().commandId;
const events = someEvents([
  { type: 'SessionRequested', data: { sessionId } },
  { type: 'SessionConnected', data: { directory: '/' } },
  { type: 'CommandIssued', data: { commandId, line: 'processes' } },
  { type: 'CommandOutputRecorded', data: { commandId, inline: { text: 'ünïcödé 🦊' } } },
  { type: 'CommandCompleted', data: { commandId, exitCode: 0 } },
  { type: 'SessionDisconnected', data: { by: 'u-1' } },
]);

const clientOf = async (handle: (call: Call) => void | Promise<void>): Promise<LiveResponseClient> => {
  server = await startServer(handle);
  return new LiveResponseClient({
    server: server.address,
    token: async () => 'token-1',
    retry: { firstDelayMs: 1, longestDelayMs: 5 },
  });
};

const beginStream = (call: Call): void => {
  expect(call.headers.accept).toBe('text/event-stream');
  call.response.writeHead(200, { 'content-type': 'text/event-stream' });
};

const collect = async (stream: AsyncIterable<Envelope>): Promise<number[]> => {
  const versions: number[] = [];
  for await (const event of stream) versions.push(event.version);
  return versions;
};

it('follows to the end over cuts in the middle of an event, repeats and ends by the server', async () => {
  const resumedFrom: unknown[] = [];
  const client = await clientOf((call) => {
    resumedFrom.push(call.headers['last-event-id']);
    beginStream(call);
    const { response } = call;
    switch (resumedFrom.length) {
      case 1: {
        sendEvents(response, events.slice(0, 2));
        // Half of the third event arrives, then the connection dies.
        return void response.write(`id: 3\nevent: CommandIssued\ndata: ${JSON.stringify(events[2])}`, () =>
          call.cut(),
        );
      }
      case 2:
        response.write(': still here\n\n');
        sendEvents(response, events.slice(1, 4));
        return void response.end();
      default:
        sendEvents(response, events.slice(4));
        return void response.end('event: end\ndata: {}\n\n');
    }
  });
  const interruptions: Error[] = [];
  const stream = client.events(sessionId, { onInterruption: (error) => interruptions.push(error) });
  expect(await collect(stream)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(resumedFrom).toEqual(['0', '2', '4']);
  expect(interruptions).toHaveLength(1);
});

it('goes back for an event that was left out', async () => {
  let connections = 0;
  const client = await clientOf((call) => {
    connections += 1;
    beginStream(call);
    sendEvents(
      call.response,
      connections === 1 ? [events[0], events[2]].filter((one) => one !== undefined) : events.slice(1),
    );
    if (connections > 1) call.response.end('event: end\n\n');
  });
  expect(await collect(client.events(sessionId))).toEqual([1, 2, 3, 4, 5, 6]);
});

it('takes a silent connection for a dead one', async () => {
  let connections = 0;
  const client = await clientOf((call) => {
    connections += 1;
    beginStream(call);
    if (connections === 1) return sendEvents(call.response, events.slice(0, 1));
    sendEvents(call.response, events.slice(1));
    call.response.end('event: end\n\n');
  });
  expect(await collect(client.events(sessionId, { silenceMs: 100 }))).toEqual([1, 2, 3, 4, 5, 6]);
});

it('survives a server that is gone for a while but not one that never comes back', async () => {
  const client = await clientOf((call) => {
    if ((server?.calls.length ?? 0) < 12) return call.cut();
    beginStream(call);
    sendEvents(call.response, events);
    call.response.end('event: end\n\n');
  });
  expect(await collect(client.events(sessionId))).toHaveLength(6);
  await server?.close();
  await expect(collect(client.events(sessionId, { patienceMs: 50 }))).rejects.toThrow(/No whole answer/);
});

it('stops when it is told to', async () => {
  const client = await clientOf((call) => {
    beginStream(call);
    sendEvents(call.response, events.slice(0, 1));
  });
  const abort = new AbortController();
  const follow = async () => {
    for await (const _ of client.events(sessionId, { signal: abort.signal }))
      abort.abort(new Error('enough'));
  };
  await expect(follow()).rejects.toThrow('enough');
});

it('does not go on when the server refuses', async () => {
  const client = await clientOf((call) => call.problem(404, 'NOT_FOUND', 'No such session.'));
  await expect(collect(client.events(sessionId))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(server?.calls).toHaveLength(1);
});

it('gives events untouched, so that their chain can be checked', async () => {
  const client = await clientOf((call) => {
    const after = Number(call.url.searchParams.get('after'));
    const page = events.slice(after, after + 4);
    call.json(200, {
      events: page,
      next: after + page.length,
      complete: after + page.length === events.length,
    });
  });
  const recorded: Envelope[] = [];
  for await (const event of client.recordedEvents(sessionId)) recorded.push(event);
  expect(recorded).toEqual(events);
  expect(chainFaults(`session-${sessionId}`, recorded as Parameters<typeof chainFaults>[1])).toEqual([]);
});

it('runs a command and tells what happened to it, and to no other', async () => {
  const other = someEvents([
    ...events.slice(0, 3),
    { type: 'CommandStarted', data: { commandId: 'another' } },
    ...events.slice(3),
  ]);
  const client = await clientOf((call) => {
    const path = call.url.pathname;
    if (call.method === 'POST') return call.json(202, aCommand());
    if (path.endsWith('/events')) {
      beginStream(call);
      expect(call.headers['last-event-id']).toBe('2');
      return sendEvents(call.response, other.slice(2));
    }
    if (path.endsWith(commandId)) return call.json(200, aCommand({ state: 'Completed', exitCode: 0 }));
    call.json(200, aSession({ version: 2 }));
  });
  const types: string[] = [];
  const ended = await client.runCommand(sessionId, 'processes', { onEvent: ({ type }) => types.push(type) });
  expect(types).toEqual(['CommandIssued', 'CommandOutputRecorded', 'CommandCompleted']);
  expect(ended.state).toBe('Completed');
});

it('reads the event-stream format however the bytes are cut', async () => {
  const text =
    ': hello\r\nid: 7\r\nevent: x\r\ndata: ä\r\ndata: 🦊\r\n\r\ndata\n\nevent: end\n\nid: 8\ndata: lost';
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 2, 3, 5, 1000]) {
    const pieces = async function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    };
    const seen = [];
    for await (const event of readServerSentEvents(pieces())) seen.push(event);
    expect(seen).toEqual([
      { id: '7', event: 'x', data: 'ä\n🦊' },
      { id: '7', event: 'message', data: '' },
      { id: '7', event: 'end', data: '' },
    ]);
  }
});
