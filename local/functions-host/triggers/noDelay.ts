import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/**
 * Sets TCP_NODELAY on every socket this process opens. The Service Bus SDK leaves Nagle's algorithm on and has no
 * option for it; with it each new link costs about 45 ms, and a settlement can wait as long.
 */
export function setNoDelayOnClientSockets(): void {
  if (subscribed) return;
  subscribed = true;
  subscribe('net.client.socket', (message) => {
    (message as { socket: Socket }).socket.setNoDelay(true);
  });
}
let subscribed = false;
