import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { issueCommandRequest, openSessionRequest, uuid } from '../../contracts/http.ts';
import { sealEvents, streamSeed } from '../../evidence/hashChain.ts';
import type { DeviceResource, Envelope } from '../../sdk/index.ts';
import { type Call, type RunningServer, sendEvents, startServer } from '../../sdk/test/contractServer.ts';
import { aCommand, aSession, deviceId } from '../../sdk/test/shapes.ts';

/** What a test's device can do with a command that was issued. */
export interface Execution {
  readonly commandId: string;
  readonly line: string;
  output(text: string | Uint8Array, stream?: 'result' | 'stdout' | 'stderr'): void;
  /** Output that is not in the event; `stored` is what the store hands out for it. */
  storedOutput(recorded: string, stored?: string): void;
  file(fileId: string, name: string, content: Uint8Array): void;
  end(state: 'Completed' | 'Failed' | 'Cancelled' | 'TimedOut' | 'Lost', facts?: object): void;
}

export interface LiveServer extends RunningServer {
  readonly sessionId: () => string;
  readonly events: () => readonly Envelope[];
  /** Cuts every open event stream. */
  cutStreams(): void;
  /** Commands that run, by line. */
  readonly running: Map<string, Execution>;
  append(events: readonly { type: string; data: object }[]): void;
}

export interface Behaviour {
  /** Commands that the agent announces. */
  readonly capabilities?: readonly string[];
  /** Hands out a file's content instead of the store. */
  readonly download?: (response: ServerResponse, content: Uint8Array) => void;
  readonly device?: Partial<DeviceResource>;
  readonly execute?: (execution: Execution) => void;
  readonly cancel?: (execution: Execution) => void;
  /** Instead of the device's answer. */
  readonly connect?: (append: LiveServer['append']) => void;
  /** Refuses a line by its text. */
  readonly refuse?: (line: string) => { readonly code: string; readonly detail: string } | undefined;
  /** Changes what the server hands out, as someone with access to the store might. */
  readonly tamper?: (events: Envelope[]) => Envelope[];
}

const at = '2026-01-02T03:04:05.000Z';
const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A server with one device, one session at a time and a real event stream. */
export const startLiveServer = async (behaviour: Behaviour = {}): Promise<LiveServer> => {
  let sessionId = '';
  let events: Envelope[] = [];
  const streams = new Set<ServerResponse>();
  const running = new Map<string, Execution>();
  const outputs = new Map<string, Buffer[]>();
  const contents = new Map<string, { readonly name: string; readonly content: Uint8Array }>();
  const isSettled = () =>
    events.some(({ type }) => /^Session(Disconnected|Expired)$/.test(type)) && running.size === 0;

  const append: LiveServer['append'] = (added) => {
    const last = events.at(-1);
    const streamId = `session-${sessionId}`;
    const sealed = sealEvents(
      'tenant-1',
      streamId,
      { version: last?.version ?? 0, hash: last?.hash ?? streamSeed(streamId) },
      added,
      {
        actor: { kind: 'user', id: 'u-1', name: 'Ana' },
        correlationId: 'c-1',
        causationId: 'c-1',
        traceparent: null,
        recordedAt: at,
      },
    ) as unknown as Envelope[];
    events = [...events, ...sealed];
    for (const stream of streams) {
      sendEvents(stream, sealed);
      if (isSettled()) stream.end('event: end\ndata: {}\n\n');
    }
  };

  const executionOf = (commandId: string, line: string): Execution => {
    let size = 0;
    let part = 0;
    return {
      commandId,
      line,
      output: (text, stream = 'result') => {
        const bytes = Buffer.from(text);
        const inline = bytes.equals(Buffer.from(bytes.toString('utf8')))
          ? { text: bytes.toString('utf8') }
          : { text: bytes.toString('utf8'), bytes: bytes.toString('base64') };
        part += 1;
        outputs.set(commandId, [...(outputs.get(commandId) ?? []), bytes]);
        const recorded = {
          commandId,
          part,
          stream,
          offset: size,
          size: bytes.length,
          sha256: hash(bytes),
          inline,
        };
        size += bytes.length;
        append([{ type: 'CommandOutputRecorded', data: { ...recorded, blob: null } }]);
      },
      storedOutput: (recorded, stored = recorded) => {
        const bytes = Buffer.from(recorded);
        part += 1;
        outputs.set(commandId, [...(outputs.get(commandId) ?? []), Buffer.from(stored)]);
        const facts = {
          commandId,
          part,
          stream: 'stdout',
          offset: size,
          size: bytes.length,
          sha256: hash(bytes),
        };
        size += bytes.length;
        append([{ type: 'CommandOutputRecorded', data: { ...facts, inline: null, blob: 'b' } }]);
      },
      file: (fileId, name, content) => {
        contents.set(fileId, { name, content });
        const file = {
          commandId,
          fileId,
          name,
          path: { text: `/${name}` },
          size: content.length,
          sha256: hash(content),
        };
        append([{ type: 'FileCollected', data: { ...file, etag: '"1"', blob: 'b', at } }]);
      },
      end: (state, facts = {}) => {
        running.delete(line);
        const lost = { commandId, reason: 'SILENT', message: 'Nothing was heard of it.', at };
        const result = {
          commandId,
          exitCode: 0,
          duration: 0.1,
          error: null,
          directory: null,
          processesGone: true,
          at,
        };
        append([{ type: `Command${state}`, data: state === 'Lost' ? lost : { ...result, ...facts } }]);
      },
    };
  };

  const routes: readonly [string, RegExp, (call: Call, ...parts: string[]) => void][] = [
    [
      'GET',
      /^\/api\/devices$/,
      (call) => call.json(200, { devices: [aDevice(behaviour.device)], next: null }),
    ],
    [
      'POST',
      /^\/api\/sessions$/,
      (call) => {
        const key = uuid.parse(call.headers['idempotency-key']);
        const { reason } = openSessionRequest.parse(call.body);
        sessionId = key;
        events = [];
        call.json(201, aSession({ sessionId: key, reason, status: 'opening', version: 1 }));
        append([{ type: 'SessionRequested', data: { sessionId: key, deviceId, reason, platform: 'linux' } }]);
        if (behaviour.connect) return behaviour.connect(append);
        append([
          {
            type: 'SessionConnected',
            data: {
              agentVersion: '0.1.0',
              platform: 'linux',
              hostName: 'web-01',
              osVersion: 'Debian 13',
              capabilities: behaviour.capabilities ?? [],
              directory: '/root',
              resumed: false,
              connectedAt: at,
            },
          },
        ]);
      },
    ],
    [
      'GET',
      /^\/api\/sessions\/([^/]+)$/,
      (call, id) => call.json(200, aSession({ sessionId: id ?? '', version: events.length })),
    ],
    [
      'DELETE',
      /^\/api\/sessions\/([^/]+)$/,
      (call, id) => {
        append([{ type: 'SessionDisconnected', data: { by: 'u-1', at } }]);
        call.json(200, aSession({ sessionId: id ?? '', status: 'ended', end: 'Disconnected' }));
      },
    ],
    [
      'POST',
      /^\/api\/sessions\/[^/]+\/commands$/,
      (call) => {
        const commandId = uuid.parse(call.headers['idempotency-key']);
        const { line } = issueCommandRequest.parse(call.body);
        const refusal = behaviour.refuse?.(line);
        if (refusal) return call.problem(400, refusal.code, refusal.detail);
        const background = line.endsWith('&');
        const name = line.split(' ')[0] ?? '';
        const output = line.includes('-output json') ? 'json' : 'table';
        const execution = executionOf(commandId, line);
        running.set(line, execution);
        append([
          {
            type: 'CommandIssued',
            data: { commandId, line, name, flags: [], output, background, redirect: null },
          },
        ]);
        call.json(202, aCommand({ commandId, sessionId, line, name, background }));
        if (behaviour.execute) behaviour.execute(execution);
        else execution.end('Completed');
      },
    ],
    [
      'POST',
      /^\/api\/sessions\/[^/]+\/commands\/([^/]+)\/(cancel|background)$/,
      (call, id = '', what) => {
        const execution = [...running.values()].find(({ commandId }) => commandId === id);
        if (execution === undefined) return call.problem(404, 'COMMAND_UNKNOWN', 'No such command runs.');
        call.json(202, aCommand({ commandId: id, sessionId, line: execution.line }));
        if (what === 'background')
          return append([{ type: 'CommandSentToBackground', data: { commandId: id, by: 'u-1', at } }]);
        append([{ type: 'CommandCancelRequested', data: { commandId: id, reason: 'user', by: 'u-1', at } }]);
        if (behaviour.cancel) behaviour.cancel(execution);
        else execution.end('Cancelled', { exitCode: null });
      },
    ],
    [
      'GET',
      /^\/api\/sessions\/[^/]+\/commands\/([^/]+)\/output$/,
      (call, id = '') => void call.response.end(Buffer.concat(outputs.get(id) ?? [])),
    ],
    [
      'GET',
      /^\/api\/sessions\/[^/]+\/events$/,
      (call) => {
        const after = Number(call.url.searchParams.get('after'));
        if (call.headers.accept !== 'text/event-stream') {
          const given = behaviour.tamper?.(structuredClone(events)) ?? events;
          const page = given.filter(({ version }) => version > after).slice(0, 3);
          const next = page.at(-1)?.version ?? after;
          return call.json(200, { events: page, next, complete: next >= (given.at(-1)?.version ?? 0) });
        }
        const { response } = call;
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(': connected\n\n');
        sendEvents(response, events.slice(after));
        if (isSettled()) return void response.end('event: end\ndata: {}\n\n');
        streams.add(response);
        response.on('close', () => streams.delete(response));
      },
    ],
    [
      'GET',
      /^\/api\/sessions\/[^/]+\/files$/,
      (call) =>
        call.json(200, {
          files: events
            .filter(({ type }) => type === 'FileCollected')
            .map(({ data }) => ({ ...data, collectedAt: at })),
        }),
    ],
    [
      'GET',
      /^\/api\/sessions\/[^/]+\/files\/([^/]+)\/download$/,
      (call, fileId = '') => {
        const file = contents.get(fileId);
        if (file === undefined)
          return call.problem(404, 'FILE_UNKNOWN', 'There is no such file in this session.');
        const url = `${server.address}/blob/${fileId}`;
        const { name, content } = file;
        call.json(200, {
          fileId,
          name,
          size: content.length,
          sha256: hash(content),
          url,
          expiresAt: at,
          replaced: false,
        });
      },
    ],
    [
      'GET',
      /^\/blob\/([^/]+)$/,
      ({ response }, fileId = '') => {
        const content = contents.get(fileId)?.content ?? Buffer.alloc(0);
        if (behaviour.download) return behaviour.download(response, content);
        response.end(content);
      },
    ],
    [
      'GET',
      /^\/api\/settings$/,
      (call) =>
        call.json(200, {
          limits: aSession().limits,
          switches: { liveResponse: true, servers: true, unsignedScripts: false },
          signers: [],
        }),
    ],
    [
      'POST',
      /^\/api\/enrolment-tokens$/,
      (call) => {
        const { uses } = call.body as { readonly uses: number };
        call.json(201, { tokenId: 't-1', token: 'lre_tenant_secret', uses, expiresAt: at });
      },
    ],
  ];

  const server = await startServer((call) => {
    const { pathname } = call.url;
    if (pathname.startsWith('/api/') && call.headers.authorization !== 'Bearer token-of-the-test') {
      return call.problem(401, 'UNAUTHENTICATED', 'The token is missing or not good.');
    }
    for (const [method, path, answer] of routes) {
      const match = path.exec(pathname);
      if (method === call.method && match !== null) return answer(call, ...match.slice(1));
    }
    call.problem(404, 'NOT_FOUND', `There is no ${call.method} ${pathname}.`);
  });
  return {
    ...server,
    sessionId: () => sessionId,
    events: () => events,
    cutStreams: () => {
      for (const stream of streams) stream.destroy();
    },
    running,
    append,
  };
};

const aDevice = (changes: Partial<DeviceResource> = {}): DeviceResource => ({
  deviceId,
  name: 'web-01',
  platform: 'linux',
  kind: 'server',
  osVersion: 'Debian 13',
  agentVersion: '0.1.0',
  status: 'enrolled',
  enrolledAt: at,
  retiredAt: null,
  lastSeen: at,
  ...changes,
});
