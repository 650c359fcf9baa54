import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { HostConfig } from './config.ts';

/** What a presented key allows: nothing, function-level routes, the durable webhook, or everything. */
export type KeyRight = 'none' | 'function' | 'system' | 'master';

export interface Keys {
  master: string;
  function: string;
  system: string;
}

export function keysOf(config: HostConfig): Keys {
  const random = () => randomBytes(24).toString('base64url');
  return {
    master: config.masterKey ?? random(),
    function: config.functionKey ?? random(),
    system: config.systemKey ?? random(),
  };
}

/** The right that a request's key gives. The header wins over the query, even when it is wrong. */
export function rightOf(request: IncomingMessage, query: URLSearchParams, keys: Keys): KeyRight {
  const header = request.headers['x-functions-key'];
  const key = (Array.isArray(header) ? header[0] : header) ?? query.get('code');
  if (key === undefined || key === null) return 'none';
  if (same(key, keys.master)) return 'master';
  if (same(key, keys.function)) return 'function';
  return same(key, keys.system) ? 'system' : 'none';
}

/** Whether the right opens a route of the given `authLevel`; unknown levels open for the master key only. */
export function opens(right: KeyRight, authLevel: unknown): boolean {
  const level = String(authLevel ?? 'anonymous').toLowerCase();
  if (level === 'anonymous' || right === 'master') return true;
  return level === 'function' && right === 'function';
}

function same(given: string, expected: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}
