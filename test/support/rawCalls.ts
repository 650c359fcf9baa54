import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import { userToken } from '../../local/accessTokens.ts';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export interface RawCall {
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends one request and shows whatever comes back: the client of the SDK would try again, and hide it. */
export const rawCall = async (
  token: string | undefined,
  method: string,
  path: string,
  { body, text, headers }: RawCall = {},
): Promise<RawAnswer> => {
  const content = text ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await fetch(`${inject('cloud').url}/api${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(content === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(content === undefined ? {} : { body: content }),
  });
  const answer = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: answer === '' ? {} : (JSON.parse(answer) as Record<string, unknown>),
  };
};

export interface RawUser {
  readonly token: () => Promise<string>;
  readonly call: (method: string, path: string, call?: RawCall) => Promise<RawAnswer>;
  readonly open: (deviceId: string, sessionId?: string) => Promise<RawAnswer>;
  readonly issue: (sessionId: string, line: unknown, commandId?: string) => Promise<RawAnswer>;
}

/** A user of the seed who sees every answer as it comes. */
export const rawUser = (name: string, tenant = 'contoso'): RawUser => {
  const token = userToken(inject('cloud'), name, tenant);
  const call = async (method: string, path: string, more?: RawCall) =>
    rawCall(await token(), method, path, more);
  return {
    token,
    call,
    open: (deviceId, sessionId = randomUUID()) =>
      call('POST', '/sessions', {
        body: { deviceId, reason: 'test' },
        headers: { 'idempotency-key': sessionId },
      }),
    issue: (sessionId, line, commandId = randomUUID()) =>
      call('POST', `/sessions/${sessionId}/commands`, {
        body: { line },
        headers: { 'idempotency-key': commandId },
      }),
  };
};
