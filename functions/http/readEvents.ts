import type { HttpResponseInit } from '@azure/functions';
import type { EventEnvelope } from '../../domain/envelope.ts';
import type { Head } from '../../domain/eventStore.ts';
import { isSettled, type SessionState, sessionStream } from '../../domain/session/index.ts';
import type { Services } from '../services.ts';
import { disconnectionOf } from './disconnection.ts';
import { findSession } from './findSession.ts';
import { json, numberFromQuery, type Route, signedIn } from './route.ts';
import { nextHead } from './waiting.ts';

/** The platform cuts an answer after 230 s; a stream ends itself before and is resumed by Last-Event-ID. */
const streamForMs = 200_000;
const keepAliveMs = 15_000;
const pageSize = 200;

/** The events of a session after a version: as a page, or as server-sent events that go on until the session is settled. */
export const readEvents = (services: Services): Route => ({
  name: 'readEvents',
  method: 'GET',
  path: 'sessions/{sessionId}/events',
  handle: signedIn(services.tokens, ['Basic', 'History.Read'], async (signed) => {
    const { request, caller } = signed;
    const { sessionId, head } = await findSession(services, signed);
    const lastEventId = Number(request.headers.get('last-event-id') ?? Number.NaN);
    const asked = numberFromQuery(request, 'after', {
      least: 0,
      most: Number.MAX_SAFE_INTEGER,
      otherwise: 0,
    });
    const after = Number.isInteger(lastEventId) && lastEventId >= 0 ? lastEventId : asked;
    if (request.headers.get('accept')?.includes('text/event-stream')) {
      return stream(
        services,
        caller.tenantId,
        sessionId,
        head,
        after,
        disconnectionOf(signed.context.invocationId),
      );
    }
    const limit = numberFromQuery(request, 'limit', { least: 1, most: 1000, otherwise: pageSize });
    const events = await services.store.read(caller.tenantId, sessionStream(sessionId), after, limit);
    const next = events.at(-1)?.version ?? after;
    return json(200, { events, next, complete: next >= head.version });
  }),
});

const stream = (
  services: Services,
  tenantId: string,
  sessionId: string,
  head: Head<SessionState>,
  after: number,
  gone: AbortSignal,
): HttpResponseInit => {
  const source = serverSentEvents(services, tenantId, sessionId, head, after, gone);
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await source.return(undefined);
    },
  });
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
    body,
  };
};

async function* serverSentEvents(
  services: Services,
  tenantId: string,
  sessionId: string,
  first: Head<SessionState>,
  after: number,
  abort: { readonly aborted: boolean },
): AsyncGenerator<string> {
  const until = services.surroundings.elapsed() + streamForMs;
  let head = first;
  let sent = after;
  yield ': connected\n\n';
  for (;;) {
    while (sent < head.version) {
      const page = await services.store.read(
        tenantId,
        sessionStream(sessionId),
        sent,
        Math.min(pageSize, head.version - sent),
      );
      if (page.length === 0) break;
      yield page.map(asServerSentEvent).join('');
      sent = page.at(-1)?.version ?? sent;
    }
    if (isSettled(head.state) && sent >= head.version) {
      yield `event: end\ndata: {"version":${sent}}\n\n`;
      return;
    }
    const left = until - services.surroundings.elapsed();
    if (left <= 0 || abort.aborted) return;
    const moved = await nextHead(
      services,
      tenantId,
      sessionId,
      head,
      services.surroundings.elapsed() + Math.min(keepAliveMs, left),
      abort,
    );
    if (moved === undefined) yield ': still here\n\n';
    else head = moved;
  }
}

const asServerSentEvent = (envelope: EventEnvelope): string =>
  `id: ${envelope.version}\nevent: ${envelope.type}\ndata: ${JSON.stringify(envelope)}\n\n`;
