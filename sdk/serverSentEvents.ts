/** One server-sent event. */
export interface ServerSentEvent {
  readonly id: string | null;
  readonly event: string;
  readonly data: string;
}

/**
 * Reads `text/event-stream`. An event that the stream's end cuts off is dropped, as the format demands; comments only
 * prove that the connection lives. Calls `onBytes` for every piece that arrives.
 */
export async function* readServerSentEvents(
  body: AsyncIterable<Uint8Array>,
  onBytes: () => void = () => {},
): AsyncGenerator<ServerSentEvent, void, undefined> {
  let id: string | null = null;
  let event = '';
  let data: string[] = [];
  for await (const line of linesOf(body, onBytes)) {
    if (line === '') {
      if (data.length > 0 || event !== '') yield { id, event: event || 'message', data: data.join('\n') };
      event = '';
      data = [];
      continue;
    }
    const colon = line.indexOf(':');
    if (colon === 0) continue;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') data.push(value);
    else if (field === 'event') event = value;
    else if (field === 'id') id = value;
  }
}

async function* linesOf(
  body: AsyncIterable<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  // Pieces of one long line are joined once, at its end: an event may come in thousands of pieces.
  let pieces: string[] = [];
  for await (const bytes of body) {
    onBytes();
    const [first = '', ...rest] = decoder.decode(bytes, { stream: true }).split('\n');
    pieces.push(first);
    for (const next of rest) {
      yield pieces.join('').replace(/\r$/, '');
      pieces = [next];
    }
  }
}
