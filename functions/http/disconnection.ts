import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';

const invocationHeader = 'x-ms-invocation-id';
const watched = new Map<string, AbortController>();

/**
 * The Functions library goes on writing to a caller who has hung up, and tells nobody: a stream would look at the store for
 * minutes on behalf of no one. The server that it opens in this process announces its requests, so their end can be seen.
 */
export const watchDisconnections = (): void => {
  subscribe('http.server.request.start', (message) => {
    const { request, response } = message as {
      readonly request: IncomingMessage;
      readonly response: ServerResponse;
    };
    const invocationId = request.headers[invocationHeader];
    if (typeof invocationId !== 'string') return;
    const controller = new AbortController();
    watched.set(invocationId, controller);
    response.once('close', () => {
      watched.delete(invocationId);
      controller.abort();
    });
  });
};

/** Aborted when the caller of this invocation is gone. */
export const disconnectionOf = (invocationId: string): AbortSignal =>
  watched.get(invocationId)?.signal ?? new AbortController().signal;
