import { randomUUID } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { AppProcessHandle } from './appProcessHandle.ts';
import { AppProcessLost, FunctionFailed, FunctionTimedOut } from './invocationErrors.ts';
import type { Log } from './log.ts';
import { describe } from './log.ts';
import type { CookieValue, HttpValue, NamedValue, TypedData } from './protocol.ts';
import { readBody } from './readBody.ts';
import type { RouteMatch } from './routes.ts';
import type { Supervisor } from './supervisor.ts';

export interface HttpInvocationOptions {
  supervisor: Supervisor;
  log: Log;
  scheme: 'http' | 'https';
  bodyLimitBytes: number;
  httpTimeoutMs: number;
  extraInputs(match: RouteMatch): NamedValue[];
}

/** How long a request waits while no app process is up, before 503. */
const WAIT_FOR_PROCESS_MS = 15_000;
/** After the handler is done, how long its response may still be on the way before the silence is reported. */
const SILENCE_MS = 1000;

/** Runs HTTP-triggered functions, in buffered or streaming mode as the app asked for. */
export class HttpInvoker {
  readonly #options: HttpInvocationOptions;
  // No kept connections: the app's server closes idle ones after 5 s, and on a busy machine a request can be under way
  // on such a connection before its end is noticed. A new one on loopback costs a fraction of a millisecond.
  readonly #agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });

  constructor(options: HttpInvocationOptions) {
    this.#options = options;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Answers the request; never throws for what the app does. Resolves when the response has ended. */
  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    match: RouteMatch,
  ): Promise<void> {
    const { supervisor, log } = this.#options;
    let target: Awaited<ReturnType<Supervisor['acquire']>>;
    try {
      target = await supervisor.acquire(WAIT_FOR_PROCESS_MS);
    } catch (error) {
      log.error('host', `${match.fn.name}: ${describe(error)}`);
      return answerStatus(response, 503);
    }
    const unguard = this.#guard(response, match);
    try {
      const { HttpUri: uri } = target.app.capabilities;
      if (uri === undefined) await this.#buffered(request, response, url, match, target.process);
      else await this.#streamed(request, response, url, match, target.process, Number(new URL(uri).port));
    } finally {
      unguard();
    }
  }

  /** The load balancer's patience: to the first byte, then between bytes. The function itself runs on. */
  #guard(response: ServerResponse, match: RouteMatch): () => void {
    const { httpTimeoutMs, log } = this.#options;
    const timer = setTimeout(() => {
      log.error(
        'host',
        `${match.fn.name}: no bytes for ${httpTimeoutMs / 1000} s; the load balancer gives up (the function runs on)`,
      );
      fail(response, 502);
    }, httpTimeoutMs);
    const write = response.write.bind(response);
    response.write = ((...args: Parameters<typeof write>) => {
      timer.refresh();
      return write(...args);
    }) as typeof response.write;
    const stop = () => clearTimeout(timer);
    response.once('close', stop);
    return stop;
  }

  async #buffered(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    match: RouteMatch,
    process: AppProcessHandle,
  ): Promise<void> {
    // The host only looks at Content-Length: a chunked body is lost, as on Azure.
    const hasBody = Number(request.headers['content-length'] ?? 0) > 0;
    const body = hasBody ? await readBody(request, this.#options.bodyLimitBytes) : undefined;
    try {
      const { returnValue } = await this.#invoke(process, match, randomUUID(), request, [
        { name: match.fn.trigger.name, data: { http: httpInput(request, url, match.params, body) } },
        ...this.#options.extraInputs(match),
      ]);
      writeBuffered(response, returnValue?.http);
    } catch (error) {
      this.#report(match, error);
      fail(response, error instanceof AppProcessLost ? 502 : 500);
    }
  }

  async #streamed(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    match: RouteMatch,
    process: AppProcessHandle,
    port: number,
  ): Promise<void> {
    const invocationId = randomUUID();
    const forwarding = new Forwarding(request, response, {
      agent: this.#agent,
      port,
      invocationId,
      scheme: this.#options.scheme,
      bodyLimitBytes: this.#options.bodyLimitBytes,
    });
    const invocation = forwarding.accepted.then(() =>
      this.#invoke(
        process,
        match,
        invocationId,
        request,
        [{ name: match.fn.trigger.name, data: { http: {} } }, ...this.#options.extraInputs(match)],
        {
          Headers: { json: JSON.stringify(singleHeaders(request)) },
          Query: { json: JSON.stringify(Object.fromEntries(url.searchParams)) },
          ...Object.fromEntries(
            Object.entries(match.params).map(([name, value]) => [name, { string: value }]),
          ),
        },
      ),
    );
    try {
      await Promise.race([invocation, forwarding.failed]);
      await this.#reportSilence(match, forwarding, response);
    } catch (error) {
      // The library leaves the forwarded response open when a handler throws, so the answer comes from here.
      if (!forwarding.clientLeft) this.#report(match, error);
      forwarding.abort();
      fail(response, error instanceof FunctionFailed || error instanceof FunctionTimedOut ? 500 : 502);
    }
    invocation.catch(() => undefined);
    await forwarding.ended;
  }

  async #reportSilence(match: RouteMatch, forwarding: Forwarding, response: ServerResponse): Promise<void> {
    if (forwarding.answered) return;
    await Promise.race([
      forwarding.ended,
      forwarding.firstByte,
      delay(SILENCE_MS, undefined, { ref: false }),
    ]);
    if (!forwarding.answered && !response.destroyed) {
      this.#options.log.error(
        'host',
        `${match.fn.name} ended without a response; in streaming mode a handler that returns undefined leaves the client hanging until the time limit`,
      );
    }
  }

  #invoke(
    process: AppProcessHandle,
    match: RouteMatch,
    invocationId: string,
    request: IncomingMessage,
    inputData: NamedValue[],
    triggerMetadata: Record<string, TypedData> = {},
  ) {
    const { traceparent } = request.headers;
    return this.#options.supervisor.invokeOn(process, match.fn, {
      invocationId,
      inputData,
      triggerMetadata,
      ...(typeof traceparent === 'string' && { traceParent: traceparent }),
    });
  }

  #report(match: RouteMatch, error: unknown): void {
    const stack = error instanceof FunctionFailed && error.appStack !== '' ? `\n${error.appStack}` : '';
    this.#options.log.error('host', `${match.fn.name} failed: ${describe(error)}${stack}`);
  }
}

interface ForwardingOptions {
  agent: Agent;
  port: number;
  invocationId: string;
  scheme: string;
  bodyLimitBytes: number;
}

/** One request forwarded to the app's own HTTP server, both directions piped without buffering. */
class Forwarding {
  /** The app's server has been reached: now the invocation may wait for the request there. */
  readonly accepted: Promise<void>;
  /** Rejects when the connection to the app breaks before or during the response. */
  readonly failed: Promise<never>;
  readonly firstByte: Promise<void>;
  /** The response to the client is over, finished or cut. */
  readonly ended: Promise<void>;
  answered = false;
  /** The client closed its connection before the whole response was sent. */
  clientLeft = false;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #options: ForwardingOptions;
  #upstream: ReturnType<typeof httpRequest> | undefined;
  #bodyBytes = 0;
  #aborted = false;
  #accept: () => void = () => undefined;
  #fail: (error: Error) => void = () => undefined;
  #begin: () => void = () => undefined;

  constructor(request: IncomingMessage, response: ServerResponse, options: ForwardingOptions) {
    this.#request = request;
    this.#response = response;
    this.#options = options;
    this.accepted = new Promise((resolve) => {
      this.#accept = resolve;
    });
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => undefined);
    this.firstByte = new Promise((resolve) => {
      this.#begin = resolve;
    });
    this.ended = new Promise((resolve) => {
      response.once('close', () => {
        if (!response.writableFinished) {
          this.clientLeft = true;
          this.abort();
        }
        resolve();
      });
    });
    this.#connect(true);
  }

  abort(): void {
    this.#aborted = true;
    this.#upstream?.destroy();
  }

  #connect(mayRetry: boolean): void {
    const { agent, port, invocationId, scheme, bodyLimitBytes } = this.#options;
    const upstream = httpRequest({
      agent,
      host: '127.0.0.1',
      port,
      method: this.#request.method,
      path: this.#request.url,
      headers: forwardedHeaders(this.#request, invocationId, scheme),
    });
    this.#upstream = upstream;
    const hasBody =
      this.#request.headers['transfer-encoding'] !== undefined ||
      Number(this.#request.headers['content-length'] ?? 0) > 0;
    upstream.once('socket', (socket) => {
      if (socket.connecting) socket.once('connect', () => this.#accept());
      else this.#accept();
    });
    upstream.once('response', (answer) => {
      this.answered = true;
      this.#begin();
      if (this.#response.headersSent) return answer.destroy();
      const {
        'x-ms-invocation-id': _internal,
        connection: _connection,
        'keep-alive': _keepAlive,
        ...headers
      } = answer.headers;
      this.#response.writeHead(answer.statusCode ?? 500, headers);
      this.#response.flushHeaders();
      answer.once('error', (error) => this.#fail(error));
      answer.once('aborted', () => this.#response.destroy());
      return answer.pipe(this.#response);
    });
    upstream.once('error', (error) => {
      // A kept connection may be closed by the app at the very moment it is reused.
      const untouched = !this.answered && !this.#aborted && this.#bodyBytes === 0;
      if (mayRetry && upstream.reusedSocket && untouched) this.#connect(false);
      else this.#fail(error);
    });
    if (!hasBody) {
      upstream.end();
      return;
    }
    upstream.flushHeaders();
    this.#request.on('data', (chunk: Buffer) => {
      this.#bodyBytes += chunk.length;
      if (this.#bodyBytes > bodyLimitBytes) {
        fail(this.#response, 413);
        upstream.destroy();
      }
    });
    this.#request.pipe(upstream);
  }
}

function forwardedHeaders(
  request: IncomingMessage,
  invocationId: string,
  scheme: string,
): OutgoingHttpHeaders {
  const { connection: _connection, 'keep-alive': _keepAlive, expect: _expect, ...headers } = request.headers;
  return {
    ...headers,
    'x-forwarded-host': request.headers.host ?? '',
    'x-forwarded-proto': scheme,
    'x-ms-invocation-id': invocationId,
  };
}

function singleHeaders(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  );
}

function httpInput(
  request: IncomingMessage,
  url: URL,
  params: Record<string, string>,
  body: Buffer | undefined,
): HttpValue {
  const nullable = (entries: Iterable<[string, string]>) =>
    Object.fromEntries([...entries].map(([name, value]) => [name, { value }]));
  return {
    method: request.method ?? 'GET',
    url: url.href,
    nullableHeaders: nullable(Object.entries(singleHeaders(request))),
    nullableQuery: nullable(joined(url.searchParams)),
    nullableParams: nullable(Object.entries(params)),
    ...(body !== undefined && { body: { bytes: body } }),
  };
}

/** Several values of one name travel comma-joined. */
function joined(query: URLSearchParams): [string, string][] {
  return [...new Set(query.keys())].map((name) => [name, query.getAll(name).join(',')]);
}

function writeBuffered(response: ServerResponse, http: HttpValue | undefined): void {
  if (response.headersSent || response.destroyed) return;
  if (http === undefined) return answerStatus(response, 204);
  const cookies = (http.cookies ?? []).map(cookieText);
  const { body } = http;
  const bytes = body?.bytes ?? (body?.string === undefined ? body?.json : body.string);
  response.writeHead(Number(http.statusCode ?? 200), {
    ...http.headers,
    ...(cookies.length > 0 && { 'set-cookie': cookies }),
  });
  response.end(bytes === undefined ? undefined : typeof bytes === 'string' ? bytes : Buffer.from(bytes));
}

function cookieText(cookie: CookieValue): string {
  const expires = cookie.expires?.value;
  const date =
    expires === undefined
      ? undefined
      : new Date(
          typeof expires === 'object' && 'seconds' in expires
            ? Number(expires.seconds) * 1000
            : (expires as Date | string),
        );
  return [
    `${cookie.name}=${encodeURIComponent(cookie.value)}`,
    cookie.domain?.value && `domain=${cookie.domain.value}`,
    cookie.path?.value && `path=${cookie.path.value}`,
    date !== undefined && `expires=${date.toUTCString()}`,
    cookie.maxAge?.value !== undefined && `max-age=${cookie.maxAge.value}`,
    cookie.sameSite !== undefined &&
      cookie.sameSite !== 'None' &&
      `samesite=${String(cookie.sameSite).toLowerCase()}`,
    cookie.secure?.value && 'secure',
    cookie.httpOnly?.value && 'httponly',
  ]
    .filter((part) => typeof part === 'string')
    .join('; ');
}

export function answerStatus(response: ServerResponse, status: number): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { 'content-length': '0' }).end();
}

/** Says the status when nothing has been said yet, otherwise cuts the connection: half an answer must not look whole. */
export function fail(response: ServerResponse, status: number): void {
  if (response.headersSent) response.destroy();
  else answerStatus(response, status);
}
