import { badRequest } from '../errors.ts';
import type { Json } from '../json.ts';

/**
 * Where a page ended: in the item `row` with the sort keys `keys`, of whose results `done` were given, with so many
 * results still wanted. The words say what is behind, not how much was read, so writes and splits in between harm nothing.
 */
export interface ItemPosition {
  readonly row: number;
  readonly done: number;
  readonly keys: readonly Json[];
  readonly left?: number;
}

/** The same for results without an item: groups and distinct values stand in the order of their `after` texts. */
export interface ValuePosition {
  readonly after: string;
  readonly left?: number;
}

export function encodePosition(position: ItemPosition | ValuePosition): string {
  return Buffer.from(JSON.stringify(position)).toString('base64');
}

export function decodeItemPosition(token: string): ItemPosition {
  const position = decode(token) as Partial<ItemPosition>;
  if (Number.isInteger(position.row) && Number.isInteger(position.done) && Array.isArray(position.keys)) {
    return position as ItemPosition;
  }
  throw unknown();
}

export function decodeValuePosition(token: string): ValuePosition {
  const position = decode(token) as Partial<ValuePosition>;
  if (typeof position.after === 'string') return position as ValuePosition;
  throw unknown();
}

function decode(token: string): object {
  try {
    const position: unknown = JSON.parse(Buffer.from(token, 'base64').toString('utf8'));
    if (typeof position === 'object' && position !== null) return position;
  } catch {
    // Falls through to the refusal.
  }
  throw unknown();
}

const unknown = () => badRequest('The query continuation is not known here. Begin the query again.');
