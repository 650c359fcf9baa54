import type * as z from 'zod';
import { envelope as envelopeShape } from '../contracts/http.ts';
import { ApiError, ConnectionError, reasonOf, UnexpectedAnswerError } from './errors.ts';
import { delayAfter, pause } from './retry.ts';
import { readServerSentEvents, type ServerSentEvent } from './serverSentEvents.ts';
import type { Transport } from './transport.ts';

/** One stored event, exactly as the server sent it, so that its hash can be checked. */
export type Envelope = z.infer<typeof envelopeShape>;

export interface FollowOptions {
  /** Version after which to begin; 0 (the default) begins at the beginning. */
  readonly after?: number;
  readonly signal?: AbortSignal | undefined;
  /** Told when the stream was cut and is being taken up again. */
  readonly onInterruption?: (error: Error) => void;
  /** A connection without a byte for this long counts as cut. */
  readonly silenceMs?: number;
  /** Gives up when nothing could be read for this long. */
  readonly patienceMs?: number;
}

const defaultSilenceMs = 60_000;
const defaultPatienceMs = 300_000;

/**
 * Every event after `after`, each once and in order, until the session is settled. Survives cut connections, restarts
 * and the server's own end of a long stream. Throws ApiError when the server refuses, ConnectionError when patience is
 * over, and the signal's reason when it is aborted.
 */
export async function* followSession(
  transport: Transport,
  sessionId: string,
  options: FollowOptions,
): AsyncGenerator<Envelope, void, undefined> {
  const { signal, onInterruption = () => {}, patienceMs = defaultPatienceMs } = options;
  let last = options.after ?? 0;
  let failures = 0;
  let heardAt = Date.now();
  for (;;) {
    const cut = { error: new ConnectionError(transport.server, 'the stream ended') as Error };
    const connectedAt = Date.now();
    try {
      for await (const message of openStream(transport, sessionId, last, options, () => {
        heardAt = Date.now();
      })) {
        if (message.event === 'end') return;
        const envelope = envelopeOf(message);
        if (envelope.version <= last) continue;
        if (envelope.version !== last + 1) {
          throw new ConnectionError(transport.server, `version ${last + 1} of the events is missing`);
        }
        last = envelope.version;
        failures = 0;
        yield envelope;
      }
      // Servers end long streams themselves; that is no failure unless they do it at once, again and again.
      if (Date.now() - connectedAt > 1_000) failures = 0;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof UnexpectedAnswerError) throw error;
      if (error instanceof ApiError && error.status !== 429 && error.status < 500) throw error;
      cut.error =
        error instanceof ApiError || error instanceof ConnectionError
          ? error
          : new ConnectionError(transport.server, reasonOf(error));
      onInterruption(cut.error);
    }
    if (Date.now() - heardAt > patienceMs) throw cut.error;
    if (failures > 0) await pause(delayAfter(failures, transport.retry), signal);
    failures += 1;
  }
}

async function* openStream(
  transport: Transport,
  sessionId: string,
  after: number,
  { signal, silenceMs = defaultSilenceMs }: FollowOptions,
  onBytes: () => void,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const silence = new AbortController();
  const startTimer = () =>
    setTimeout(() => silence.abort(new Error(`nothing came for ${silenceMs / 1000} s`)), silenceMs);
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const body = await transport.send(
      {
        method: 'GET',
        path: `/sessions/${encodeURIComponent(sessionId)}/events`,
        query: { after },
        headers: { accept: 'text/event-stream', 'last-event-id': String(after) },
        repeatable: true,
        stream: true,
        signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
      },
      streamBody,
    );
    timer = startTimer();
    yield* readServerSentEvents(body, () => {
      clearTimeout(timer);
      timer = startTimer();
      onBytes();
    });
  } finally {
    clearTimeout(timer);
  }
}

const streamBody = async (response: Response): Promise<ReadableStream<Uint8Array>> => {
  const type = response.headers.get('content-type') ?? 'nothing';
  if (!type.startsWith('text/event-stream') || response.body === null) {
    throw new UnexpectedAnswerError('The event stream', type);
  }
  return response.body;
};

const envelopeOf = ({ data }: ServerSentEvent): Envelope => {
  try {
    const value: unknown = JSON.parse(data);
    envelopeShape.parse(value);
    return value as Envelope;
  } catch (error) {
    throw new UnexpectedAnswerError('The event stream', reasonOf(error));
  }
};
