import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { HostConfig } from './config.ts';
import type { Cors } from './cors.ts';
import { answersPreflight } from './cors.ts';
import type { ApiAnswer } from './durable/apiMessages.ts';
import type { ManagementApi } from './durable/managementApi.ts';
import { RPC_PATH, WEBHOOK_PATH } from './durable/managementApi.ts';
import type { HttpInvoker } from './httpInvocation.ts';
import { answerStatus, fail } from './httpInvocation.ts';
import type { Keys } from './keys.ts';
import { opens, rightOf } from './keys.ts';
import type { Log } from './log.ts';
import { describe } from './log.ts';
import { BodyTooLarge, readBody } from './readBody.ts';
import type { RequestQueue } from './requestQueue.ts';
import { TooManyRequests } from './requestQueue.ts';
import type { Routes } from './routes.ts';

const MAXIMUM_URL = 8192;
const MAXIMUM_QUERY = 4096;

/** Everything behind the front end; it answers 503 until this is there. */
export interface FrontEndParts {
  routes: Routes;
  invoker: HttpInvoker;
  queue: RequestQueue;
  keys: Keys;
  durable: ManagementApi;
  admin: { status(): unknown; fire(name: string, input: string | undefined): ApiAnswer };
  bodyLimitBytes: number;
  log: Log;
}

/** The public HTTP(S) door and the loopback door of the durable client, both on 127.0.0.1. */
export class FrontEnd {
  readonly scheme: 'http' | 'https';
  readonly #public: Server;
  readonly #rpc: Server;
  readonly #cors: Cors | undefined;
  #parts: FrontEndParts | undefined;

  constructor({ http: { tls }, cors }: HostConfig) {
    this.#cors = cors;
    this.scheme = tls === undefined ? 'http' : 'https';
    const handle = (request: IncomingMessage, response: ServerResponse) =>
      this.#answer(request, response, false);
    this.#public =
      tls === undefined
        ? createHttpServer({ noDelay: true }, handle)
        : createHttpsServer(
            { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile), noDelay: true },
            handle,
          );
    this.#rpc = createHttpServer({ noDelay: true }, (request, response) =>
      this.#answer(request, response, true),
    );
    for (const server of [this.#public, this.#rpc]) {
      server.requestTimeout = 0; // uploads may be slow; the load-balancer limit is applied per response
      server.keepAliveTimeout = 65_000;
    }
  }

  async listen(port: number): Promise<void> {
    await Promise.all([listen(this.#public, port), listen(this.#rpc, 0)]);
  }
  get port(): number {
    return (this.#public.address() as AddressInfo).port;
  }
  get origin(): string {
    return `${this.scheme}://localhost:${this.port}`;
  }
  get rpcOrigin(): string {
    return `http://127.0.0.1:${(this.#rpc.address() as AddressInfo).port}`;
  }

  open(parts: FrontEndParts): void {
    this.#parts = parts;
  }

  async close(): Promise<void> {
    const closed = [this.#public, this.#rpc].map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
    for (const server of [this.#public, this.#rpc]) server.closeAllConnections();
    await Promise.all(closed);
  }

  #answer(request: IncomingMessage, response: ServerResponse, loopbackDoor: boolean): void {
    const parts = this.#parts;
    if (parts === undefined) return answerStatus(response, 503);
    if (!loopbackDoor && this.#cors !== undefined && answersPreflight(request, response, this.#cors)) return;
    const work = loopbackDoor
      ? this.#rpcCall(parts, request, response)
      : this.#route(parts, request, response);
    work.catch((error: unknown) => {
      if (error instanceof BodyTooLarge) return fail(response, 413);
      if (!response.destroyed)
        parts.log.error('host', `${request.method} ${pathOf(request)}: ${describe(error)}`);
      return fail(response, 500);
    });
    return undefined;
  }

  async #route(parts: FrontEndParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = request.url ?? '/';
    if (target.length > MAXIMUM_URL) return answerStatus(response, 414);
    const queryAt = target.indexOf('?');
    if (queryAt >= 0 && target.length - queryAt - 1 > MAXIMUM_QUERY) return answerStatus(response, 404);
    const url = parseUrl(target, `${this.scheme}://${request.headers.host ?? `localhost:${this.port}`}`);
    if (url === undefined) return answerStatus(response, 400);
    if (isUnder(url.pathname, WEBHOOK_PATH)) return this.#webhook(parts, request, response, url);
    if (isUnder(url.pathname, '/admin')) return this.#admin(parts, request, response, url);
    const match = parts.routes.match(request.method ?? 'GET', url.pathname);
    if (match === undefined) return answerStatus(response, 404);
    if (!opens(rightOf(request, url.searchParams, parts.keys), match.fn.trigger.authLevel))
      return answerStatus(response, 401);
    if (Number(request.headers['content-length'] ?? 0) > parts.bodyLimitBytes) {
      response.setHeader('connection', 'close'); // the unread body makes the connection useless
      return answerStatus(response, 413);
    }
    let leave: () => void;
    try {
      leave = await parts.queue.enter();
    } catch (error) {
      if (!(error instanceof TooManyRequests)) throw error;
      response.setHeader('X-FUNCTION-SCALEOUT', '1');
      return answerStatus(response, 429);
    }
    try {
      if (response.destroyed) return; // the client left while waiting for its turn
      return await parts.invoker.handle(request, response, url, match);
    } finally {
      leave();
    }
  }

  async #webhook(
    parts: FrontEndParts,
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
  ): Promise<void> {
    const right = rightOf(request, url.searchParams, parts.keys);
    if (right !== 'system' && right !== 'master') return answerStatus(response, 401);
    return this.#durableCall(parts, request, response, url, WEBHOOK_PATH);
  }

  async #rpcCall(parts: FrontEndParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = parseUrl(request.url ?? '/', this.rpcOrigin);
    if (url === undefined || !isUnder(url.pathname, RPC_PATH)) return answerStatus(response, 404);
    return this.#durableCall(parts, request, response, url, RPC_PATH);
  }

  async #durableCall(
    parts: FrontEndParts,
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    prefix: string,
  ): Promise<void> {
    const answer = await parts.durable.answer({
      method: request.method ?? 'GET',
      path: url.pathname.slice(prefix.length),
      query: url.searchParams,
      body: await readBody(request, parts.bodyLimitBytes),
      contentType: (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '',
    });
    writeAnswer(response, answer);
  }

  async #admin(
    parts: FrontEndParts,
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
  ): Promise<void> {
    if (rightOf(request, url.searchParams, parts.keys) !== 'master') return answerStatus(response, 401);
    if (url.pathname === '/admin/host/status' && request.method === 'GET') {
      return writeAnswer(response, { status: 200, body: parts.admin.status() });
    }
    const name = /^\/admin\/functions\/([^/]+)$/.exec(url.pathname)?.[1];
    if (name === undefined || request.method !== 'POST') return answerStatus(response, 404);
    const body = (await readBody(request, parts.bodyLimitBytes)).toString('utf8');
    let input: unknown;
    try {
      input = body === '' ? undefined : (JSON.parse(body) as { input?: unknown }).input;
    } catch {
      return writeAnswer(response, {
        status: 400,
        body: { Message: 'The body must be JSON such as {"input": "text"}.' },
      });
    }
    return writeAnswer(response, parts.admin.fire(name, input === undefined ? undefined : String(input)));
  }
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function parseUrl(target: string, origin: string): URL | undefined {
  return URL.canParse(target, origin) ? new URL(target, origin) : undefined;
}

const pathOf = (request: IncomingMessage): string => (request.url ?? '').split('?')[0] ?? '';

const isUnder = (pathname: string, prefix: string): boolean =>
  pathname === prefix || pathname.startsWith(`${prefix}/`);

function writeAnswer(response: ServerResponse, { status, body, headers }: ApiAnswer): void {
  if (body === undefined) {
    response.writeHead(status, { ...headers, 'content-length': '0' }).end();
    return;
  }
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}
