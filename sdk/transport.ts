import { ZodError } from 'zod';
import { type Problem, problem as problemShape } from '../contracts/http.ts';
import { ApiError, ConnectionError, reasonOf, systemCodeOf, UnexpectedAnswerError } from './errors.ts';
import { defaultRetryPolicy, delayAfter, pause, type RetryPolicy, retryAfterOf } from './retry.ts';

export interface TransportOptions {
  /** Address of the server, without `/api`. `http:` only for loopback, because every request carries a token. */
  readonly server: string;
  /** Asked before every request: give a token that is valid now. */
  readonly token: () => Promise<string>;
  readonly fetch?: typeof fetch;
  readonly retry?: Partial<RetryPolicy>;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below `/api`, already encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  /** Sent as they are, in the place of a JSON body. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Doing it twice is the same as doing it once, so an unknown outcome may be tried again. */
  readonly repeatable: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for the whole answer, or for its beginning when it is a stream. */
  readonly timeoutMs?: number;
  readonly stream?: boolean;
  /** Statuses beside 2xx that `read` takes. */
  readonly alsoTaken?: readonly number[];
}

const defaultTimeoutMs = 30_000;

/** Sends requests with the caller's token and tries again what is safe to try again. */
export class Transport {
  readonly server: string;
  readonly fetch: typeof fetch;
  readonly retry: RetryPolicy;
  readonly #token: () => Promise<string>;

  constructor(options: TransportOptions) {
    this.server = checkedServer(options.server);
    // Browsers refuse `fetch` with another `this`.
    this.fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.retry = { ...defaultRetryPolicy, ...options.retry };
    this.#token = options.token;
  }

  /**
   * Throws ApiError for a refusal, ConnectionError when no whole answer came, UnexpectedAnswerError for a wrong shape,
   * and the signal's reason when it is aborted.
   */
  async send<Answer>(request: ApiRequest, read: (response: Response) => Promise<Answer>): Promise<Answer> {
    const lastStart = Date.now() + this.retry.budgetMs;
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#attempt(request, read);
      if ('answer' in outcome) return outcome.answer;
      const delay = delayAfter(attempt, this.retry, outcome.retryAfterMs);
      const mayRepeat = outcome.repeat && attempt < this.retry.attempts && Date.now() + delay <= lastStart;
      if (!mayRepeat) throw outcome.error;
      await pause(delay, request.signal);
    }
  }

  async #attempt<Answer>(
    request: ApiRequest,
    read: (response: Response) => Promise<Answer>,
  ): Promise<Outcome<Answer>> {
    const headers = {
      accept: 'application/json',
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(request.bytes === undefined ? {} : { 'content-type': 'application/octet-stream' }),
      ...request.headers,
      authorization: `Bearer ${await this.#token()}`,
    };
    const timeoutMs = request.timeoutMs ?? defaultTimeoutMs;
    const timeout = new AbortController();
    const timer = setTimeout(
      () => timeout.abort(new Error(`nothing came within ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
    try {
      const response = await this.fetch(this.#address(request), {
        method: request.method,
        headers,
        // A redirect could carry the token elsewhere.
        redirect: 'error',
        signal: request.signal ? AbortSignal.any([request.signal, timeout.signal]) : timeout.signal,
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
        ...(request.bytes === undefined ? {} : { body: request.bytes }),
      });
      if (!response.ok && !request.alsoTaken?.includes(response.status)) {
        return await refusalOf(response, request.repeatable);
      }
      if (request.stream) clearTimeout(timer);
      return { answer: await read(response) };
    } catch (error) {
      request.signal?.throwIfAborted();
      if (error instanceof UnexpectedAnswerError) throw error;
      if (error instanceof ZodError || error instanceof SyntaxError) {
        throw new UnexpectedAnswerError(`${request.method} ${request.path}`, error.message);
      }
      return {
        error: new ConnectionError(this.server, timeout.signal.aborted ? timeout.signal.reason : error),
        repeat: request.repeatable || systemCodeOf(error) === 'ECONNREFUSED',
      };
    } finally {
      clearTimeout(timer);
    }
  }

  #address({ path, query = {} }: ApiRequest): string {
    const wanted = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]],
    );
    return `${this.server}/api${path}${wanted.length === 0 ? '' : `?${new URLSearchParams(wanted)}`}`;
  }
}

type Outcome<Answer> =
  | { readonly answer: Answer }
  | { readonly error: Error; readonly repeat: boolean; readonly retryAfterMs?: number };

const refusalOf = async (response: Response, repeatable: boolean): Promise<Outcome<never>> => {
  const { status, headers } = response;
  const saysNotDone = status === 429 || status === 503;
  const isGateway = status === 502 || status === 504;
  return {
    error: new ApiError(await problemOf(response)),
    repeat: saysNotDone || (isGateway && repeatable),
    retryAfterMs: retryAfterOf(headers, Date.now()),
  };
};

const problemOf = async (response: Response): Promise<Problem> => {
  const text = await response.text();
  try {
    return problemShape.parse(JSON.parse(text));
  } catch {
    return {
      type: 'about:blank',
      title: response.statusText || `HTTP ${response.status}`,
      status: response.status,
      detail: 'The answer does not say why; something between this client and the server may have given it.',
      code: `HTTP_${response.status}`,
      correlationId: response.headers.get('x-correlation-id') ?? '',
    };
  }
};

const checkedServer = (server: string): string => {
  let url: URL;
  try {
    url = new URL(server);
  } catch (error) {
    throw new TypeError(
      `"${server}" is not the address of a server (${reasonOf(error)}). Give https://HOST.`,
    );
  }
  const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)) {
    throw new TypeError(
      `${server} would carry tokens in the clear. Use https; http is accepted for loopback only.`,
    );
  }
  return url.href.replace(/\/+$/, '').replace(/\/api$/, '');
};
