import { type SessionEvent, sessionStream } from '../../domain/session/index.ts';
import type { Services } from '../services.ts';

type OutputPart = Extract<SessionEvent, { type: 'CommandOutputRecorded' }>['data'];

/** What a command has written so far: parts in order, without holes. */
export const outputParts = async (
  services: Services,
  tenantId: string,
  sessionId: string,
  commandId: string,
): Promise<readonly OutputPart[]> => {
  const events = await services.store.readAbout(tenantId, sessionStream(sessionId), commandId);
  return events.flatMap(({ type, data }) => (type === 'CommandOutputRecorded' ? [data as OutputPart] : []));
};

export const outputSize = (parts: readonly OutputPart[]): number => {
  const last = parts.at(-1);
  return last === undefined ? 0 : last.offset + last.size;
};

/** Its bytes from byte `from` up to `end`, out of the events or out of the blob that they name. */
export async function* outputBytes(
  services: Services,
  parts: readonly OutputPart[],
  from = 0,
  end = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array> {
  for (const { offset, size, inline, blob } of parts) {
    const skipped = Math.max(0, from - offset);
    const wanted = Math.min(size, end - offset) - skipped;
    if (wanted <= 0) continue;
    if (inline !== null) {
      const bytes =
        inline.bytes === undefined ? Buffer.from(inline.text) : Buffer.from(inline.bytes, 'base64');
      yield bytes.subarray(skipped, skipped + wanted);
    } else if (blob !== null) {
      for await (const chunk of await services.blobs.read(blob, offset + skipped, wanted))
        yield chunk as Uint8Array;
    }
  }
}

/** The first bytes of it as text, cut where a character ends. */
export const outputStart = async (
  services: Services,
  parts: readonly OutputPart[],
  most: number,
): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of outputBytes(services, parts, 0, most)) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= most) break;
  }
  // `stream: true` keeps an unfinished character back instead of replacing it.
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, most), { stream: true });
};
