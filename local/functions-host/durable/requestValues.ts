import { DurableRefusal } from './refusal.ts';

const DEFAULT_PAGE = 100;

/** @throws {DurableRefusal} 400 when the body is not JSON. */
export function jsonText(body: Buffer): string {
  try {
    return JSON.stringify(JSON.parse(body.toString('utf8')));
  } catch {
    throw new DurableRefusal(400, 'Invalid JSON content.');
  }
}

/** A date of the query in ISO 8601. @throws {DurableRefusal} 400 */
export function date(query: URLSearchParams, name: string): string | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  const time = Date.parse(value);
  if (Number.isNaN(time)) throw new DurableRefusal(400, `'${name}' is not a date.`);
  return new Date(time).toISOString();
}

/** Failures and terminations hold plain text, everything else JSON. */
export function parsed(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The page asked for by `top` and `continuationToken`. @throws {DurableRefusal} 400 */
export function page(query: URLSearchParams): { limit: number; offset: number } {
  const limit = Number(query.get('top') ?? DEFAULT_PAGE);
  const offset = Number(query.get('continuationToken') ?? 0);
  if (!(Number.isInteger(limit) && limit > 0 && Number.isInteger(offset) && offset >= 0)) {
    throw new DurableRefusal(400, "'top' must be a positive whole number.");
  }
  return { limit, offset };
}
