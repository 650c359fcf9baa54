import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Envelope } from '../index.ts';

/** What a test's handler gets: the request with its body read. */
export interface Call {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
  readonly response: ServerResponse;
  /** Ends the connection without a (whole) answer. */
  cut(): void;
  json(status: number, body: unknown, headers?: Record<string, string>): void;
  problem(status: number, code: string, detail: string, headers?: Record<string, string>): void;
}

export interface RunningServer {
  readonly address: string;
  /** `METHOD path` of every request, in order. */
  readonly calls: string[];
  close(): Promise<void>;
}

/** A real HTTP server on a free loopback port. A handler that throws is answered with 500 and its message. */
export const startServer = async (handle: (call: Call) => void | Promise<void>): Promise<RunningServer> => {
  const calls: string[] = [];
  const server = createServer((request, response) => {
    void answer(request, response, calls, handle);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { address: `http://127.0.0.1:${port}`, calls, close: () => stop(server) };
};

const answer = async (
  request: IncomingMessage,
  response: ServerResponse,
  calls: string[],
  handle: (call: Call) => void | Promise<void>,
): Promise<void> => {
  const url = new URL(request.url ?? '/', 'http://server');
  const method = request.method ?? '';
  calls.push(`${method} ${url.pathname}`);
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  const isJson = request.headers['content-type']?.startsWith('application/json') === true;
  const json = (status: number, body: unknown, headers: Record<string, string> = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
  const problem: Call['problem'] = (status, code, detail, headers = {}) =>
    json(
      status,
      { type: 'about:blank', title: 'Refused', status, code, detail, correlationId: 'c-1' },
      { 'content-type': 'application/problem+json', ...headers },
    );
  try {
    await handle({
      method,
      url,
      headers: request.headers,
      body: isJson && text !== '' ? JSON.parse(text) : text,
      response,
      cut: () => response.destroy(),
      json,
      problem,
    });
  } catch (error) {
    if (!response.headersSent) problem(500, 'TEST_SERVER', String(error));
  }
};

const stop = async (server: Server): Promise<void> => {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
};

/** Writes events in the server-sent form. */
export const sendEvents = (response: ServerResponse, events: readonly Envelope[]): void => {
  for (const event of events) {
    response.write(`id: ${event.version}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  }
};
