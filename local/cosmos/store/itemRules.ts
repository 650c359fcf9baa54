import { badRequest, notImitated, tooLarge } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';

/** Bytes of an item as stored. */
export const maxItemSize = 2 * 1024 * 1024;
const maxIdLength = 1023;

export function nowInSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** Gives a valid id of an item, a container or a database. Throws 400 otherwise. */
export function checkId(id: Json | undefined): string {
  if (typeof id !== 'string' || id === '') {
    throw badRequest("The property 'id' is missing or is no text.");
  }
  if (id.length > maxIdLength) throw badRequest(`The id is longer than ${maxIdLength} characters.`);
  if (/[/\\?#]/.test(id))
    throw badRequest(`The id '${id}' holds one of the characters / \\ ? #, which ids may not.`);
  if (/\s$/.test(id)) throw badRequest(`The id '${id}' ends with white space, which ids may not.`);
  return id;
}

/** Gives the item's own time to live in seconds, -1 for ever, or null when it has none. */
export function ownTtl(document: JsonObject): number | null {
  const { ttl } = document;
  if (ttl === undefined || ttl === null) return null;
  if (typeof ttl !== 'number' || !Number.isInteger(ttl) || (ttl < 1 && ttl !== -1)) {
    throw badRequest("The property 'ttl' must be -1 or a whole number of seconds above 0.");
  }
  return ttl;
}

/** Second at which an item written at `ts` ends, or null. A container without a default ignores the items' own. */
export function expiryOf(ts: number, ttl: number | null, defaultTtl: number | undefined): number | null {
  if (defaultTtl === undefined) return null;
  const seconds = ttl ?? defaultTtl;
  return seconds === -1 ? null : ts + seconds;
}

export function checkSize(body: string): void {
  if (body.length > maxItemSize || Buffer.byteLength(body) > maxItemSize) {
    throw tooLarge('Request size is too large: an item may have at most 2 MB.');
  }
}

/** Refuses conditions that would otherwise be silently ignored. */
export function refuseCondition(name: string, value: string | undefined): void {
  if (value !== undefined) throw notImitated(`The condition ${name} on this operation`);
}

/** Whether an item with this end of its time is over; null has none. */
export const isPast = (expires: number | null): boolean => expires !== null && expires <= nowInSeconds();
