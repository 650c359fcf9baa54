import type { Log } from '../log.ts';
import { DurableRefusal } from './refusal.ts';

/** Largest payload the Durable Task Scheduler takes, and the size worth a warning (Azure Storage spills to blobs). */
const MAXIMUM_PAYLOAD_BYTES = 1_048_576;
const WARN_PAYLOAD_BYTES = 65_536;
/** What the host's scrubber masks in failure texts, which can break the JSON they carry. */
const SECRET = /AccountKey=|SharedAccessKey=|[?&]sig=/i;

/**
 * Warns about a payload that is large or holds what looks like a secret.
 * @throws {DurableRefusal} 413 when it is larger than any backend takes.
 */
export function checkPayload(payload: string | null, what: string, log: Log): void {
  if (payload === null) return;
  const bytes = Buffer.byteLength(payload);
  if (bytes > MAXIMUM_PAYLOAD_BYTES) {
    throw new DurableRefusal(
      413,
      `${what} has ${bytes} bytes; the Durable Task Scheduler takes at most ${MAXIMUM_PAYLOAD_BYTES}. Store it elsewhere and pass a reference.`,
    );
  }
  if (bytes > WARN_PAYLOAD_BYTES)
    log.warn('durable', `${what} has ${bytes} bytes; keep durable payloads under ${WARN_PAYLOAD_BYTES}.`);
  if (SECRET.test(payload))
    log.warn('durable', `${what} holds what looks like a key or signature; Azure masks it in failures.`);
}
