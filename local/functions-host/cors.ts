import type { IncomingMessage, ServerResponse } from 'node:http';

/** Which origins may read what the app answers. */
export interface Cors {
  /** `*` for all, else origins such as `http://localhost:5173`. */
  origins: readonly string[];
  /** Whether the browser may send cookies along; needs the origins by name. */
  credentials: boolean;
}

/**
 * Does what the platform does before the app sees a request: names the allowed origin on the response, and answers a
 * browser's preflight itself, even when the app lists OPTIONS. True when the request has been answered.
 */
export function answersPreflight(
  { method, headers }: IncomingMessage,
  response: ServerResponse,
  { origins, credentials }: Cors,
): boolean {
  const { origin, 'access-control-request-method': wanted } = headers;
  if (origin === undefined) return false;
  const preflight = method === 'OPTIONS' && wanted !== undefined;
  const everyone = origins.includes('*');
  response.setHeader('Vary', 'Origin');
  if (everyone || origins.includes(origin)) {
    response.setHeader('Access-Control-Allow-Origin', everyone ? '*' : origin);
    if (credentials) response.setHeader('Access-Control-Allow-Credentials', 'true');
    if (preflight) {
      response.setHeader('Access-Control-Allow-Methods', wanted);
      const asked = headers['access-control-request-headers'];
      if (asked !== undefined) response.setHeader('Access-Control-Allow-Headers', asked);
    }
  }
  if (preflight) response.writeHead(204).end();
  return preflight;
}
