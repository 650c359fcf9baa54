import { type SessionEvent, sessionStream } from '../../domain/session/index.ts';
import type { Services } from '../services.ts';

/** The bytes that a command has written so far, from its events or from the blob that they name. */
export async function* outputOf(
  services: Services,
  tenantId: string,
  sessionId: string,
  commandId: string,
): AsyncGenerator<Uint8Array> {
  for (const envelope of await services.store.readAbout(tenantId, sessionStream(sessionId), commandId)) {
    if (envelope.type !== 'CommandOutputRecorded') continue;
    const data = envelope.data as Extract<SessionEvent, { type: 'CommandOutputRecorded' }>['data'];
    if (data.inline !== null) {
      yield data.inline.bytes === undefined
        ? Buffer.from(data.inline.text)
        : Buffer.from(data.inline.bytes, 'base64');
    } else if (data.blob !== null && data.size > 0) {
      for await (const chunk of await services.blobs.read(data.blob, data.offset, data.size))
        yield chunk as Uint8Array;
    }
  }
}

/** The first bytes of it as text, cut where a character ends. */
export const outputStart = async (
  services: Services,
  tenantId: string,
  sessionId: string,
  commandId: string,
  most: number,
): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of outputOf(services, tenantId, sessionId, commandId)) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= most) break;
  }
  // `stream: true` keeps an unfinished character back instead of replacing it.
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, most), { stream: true });
};
