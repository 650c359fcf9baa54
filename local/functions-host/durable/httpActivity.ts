import type { DurableHttpRequest } from './actions.ts';

export const DEFAULT_POLL_MS = 30_000;

interface HttpResult {
  statusCode: number;
  headers: Record<string, string>;
  content: string;
}

/**
 * Sends the request of a callHttp; the result is JSON text of `{statusCode, headers, content}`.
 * @throws when there is no answer, and for what this host does not do.
 */
export async function sendDurableHttp(request: DurableHttpRequest): Promise<string> {
  const { method, uri, content, headers = {}, tokenSource } = request;
  if (tokenSource !== undefined && tokenSource !== null) {
    throw new Error(
      'callHttp with a tokenSource is not supported by the local Functions host; get the token in an activity.',
    );
  }
  const given = new Headers(headers);
  if (given.get('content-type')?.toLowerCase().startsWith('multipart/') === true) {
    throw new Error('callHttp does not take multipart content, on Azure neither.');
  }
  if (content !== undefined && !given.has('content-type')) given.set('content-type', 'text/plain');
  const response = await fetch(uri, {
    method,
    headers: given,
    redirect: 'manual',
    ...(content !== undefined && content !== null && { body: content }),
  });
  const result: HttpResult = {
    statusCode: response.status,
    headers: Object.fromEntries(response.headers),
    content: await response.text(),
  };
  return JSON.stringify(result);
}

/** Where and when to ask again: after a 202 with a Location, unless the request turned polling off. */
export function pollAfter(
  request: DurableHttpRequest,
  result: string | null,
): { delayMs: number; request: DurableHttpRequest } | undefined {
  if (request.asynchronousPatternEnabled === false || result === null) return undefined;
  const { statusCode, headers } = JSON.parse(result) as HttpResult;
  const location = headers.location;
  if (statusCode !== 202 || location === undefined || location === '') return undefined;
  const seconds = Number(headers['retry-after']);
  const { content: _content, ...rest } = request;
  return {
    delayMs: headers['retry-after'] && Number.isFinite(seconds) ? seconds * 1000 : DEFAULT_POLL_MS,
    request: { ...rest, method: 'GET', uri: new URL(location, request.uri).href },
  };
}
