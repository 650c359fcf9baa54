import type { IncomingHttpHeaders } from 'node:http';
import { badRequest } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { isJsonObject } from '../json.ts';

export interface CosmosRequest {
  readonly method: string;
  /** The decoded segments of the path. */
  readonly segments: readonly string[];
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON text; none for 204 and 304. */
  readonly body?: string;
  /** Request units. */
  readonly charge: number;
}

export function header(request: CosmosRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

export function isSet(request: CosmosRequest, name: string): boolean {
  return header(request, name)?.toLowerCase() === 'true';
}

export function jsonBody(request: CosmosRequest): Json {
  try {
    return JSON.parse(request.body) as Json;
  } catch {
    throw badRequest('The request body is no JSON.');
  }
}

export function objectBody(request: CosmosRequest): JsonObject {
  const body = jsonBody(request);
  if (!isJsonObject(body)) throw badRequest('The request body is no JSON object.');
  return body;
}

export function jsonAnswer(status: number, body: JsonObject, charge: number): Answer {
  const etag = body._etag;
  return {
    status,
    body: JSON.stringify(body),
    charge,
    ...(typeof etag === 'string' ? { headers: { etag } } : {}),
  };
}
