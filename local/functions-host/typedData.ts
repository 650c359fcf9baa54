import type { TypedData } from './protocol.ts';

/** JSON text of what a handler returned, as the host stores it; null for no value. Bytes become base64 text. */
export function jsonOf(data: TypedData | null | undefined): string | null {
  if (data === null || data === undefined) return null;
  if (data.string !== undefined) return JSON.stringify(data.string);
  if (data.json !== undefined) return data.json === 'null' ? null : data.json;
  if (data.bytes !== undefined) return JSON.stringify(Buffer.from(data.bytes).toString('base64'));
  const number = data.int ?? data.double;
  return number === undefined || number === null ? null : JSON.stringify(number);
}
