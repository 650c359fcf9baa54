import type { IncomingMessage } from 'node:http';

/** The request body is larger than allowed. */
export class BodyTooLarge extends Error {}

/** Reads a whole body. @throws {BodyTooLarge} above `limitBytes`. */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > limitBytes) throw new BodyTooLarge(`The request body exceeds ${limitBytes} bytes.`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
