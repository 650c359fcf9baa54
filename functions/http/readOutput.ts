import { DomainError } from '../../domain/domainError.ts';
import { isKnownCommand } from '../../domain/session/index.ts';
import type { Services } from '../services.ts';
import { recordAccess } from '../streams/streams.ts';
import { outputBytes, outputParts, outputSize } from './commandOutput.ts';
import { findSession } from './findSession.ts';
import { type Route, signedIn, uuidParameter } from './route.ts';

/** All output of a command so far, byte for byte: from its events, or from the blob where there is much of it. */
export const readOutput = (services: Services): Route => ({
  name: 'readOutput',
  method: 'GET',
  path: 'sessions/{sessionId}/commands/{commandId}/output',
  handle: signedIn(services.tokens, ['Basic', 'History.Read'], async (signed) => {
    const { tenantId, actor } = signed.caller;
    const { sessionId, head } = await findSession(services, signed);
    const commandId = uuidParameter(signed.request, 'commandId', 'COMMAND_UNKNOWN');
    if (!isKnownCommand(head.state, commandId))
      throw new DomainError('COMMAND_UNKNOWN', 'There is no such command in this session.');
    await recordAccess(services, tenantId, signed.metadata(commandId), (at) => ({
      type: 'OutputRead',
      data: { sessionId, commandId, by: actor.id, at },
    }));
    const parts = await outputParts(services, tenantId, sessionId, commandId);
    const size = outputSize(parts);
    const range = rangeOf(signed.request.headers.get('range'));
    const { from } = range;
    const end = Math.min(size, range.end);
    if (from > 0 && from >= size) return { status: 416, headers: { 'content-range': `bytes */${size}` } };
    const isWhole = from === 0 && end === size;
    const source = outputBytes(services, parts, from, end);
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await source.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await source.return(undefined);
      },
    });
    return {
      status: isWhole ? 200 : 206,
      // What a device wrote is never to be shown by a browser.
      headers: {
        ...(isWhole ? {} : { 'content-range': `bytes ${from}-${end - 1}/*` }),
        'content-type': 'application/x-ndjson',
        'content-disposition': 'attachment',
        'x-content-type-options': 'nosniff',
      },
      body,
    };
  }),
});

/** Bytes from `from` up to `end` (`bytes=N-` or `bytes=N-M`); any other kind of range makes no sense while an output grows and means all. */
const rangeOf = (range: string | null): { readonly from: number; readonly end: number } => {
  const [, first, last = ''] = /^bytes=(\d{1,15})-(\d{1,15})?$/.exec(range ?? '') ?? [];
  const from = Number(first ?? 0);
  const end = last === '' ? Number.POSITIVE_INFINITY : Number(last) + 1;
  return from < end ? { from, end } : { from: 0, end: Number.POSITIVE_INFINITY };
};
