import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { HandleRequest } from './administration/administration.ts';
import type { AmqpEndpoint } from './amqp/amqpEndpoint.ts';

const loopback = '127.0.0.1';
const webSocketPath = '/$servicebus/websocket';
const webSocketProtocol = 'AMQPWSB10';
const amqpMagic = Buffer.from('AMQP');
const firstBytesWithinMs = 20_000;
const maxWebSocketMessage = 1_048_576;

export interface NamespaceListener {
  readonly port: number;
  serve(amqp: AmqpEndpoint, administration: HandleRequest): void;
  close(): Promise<void>;
}

/**
 * One TLS port for everything a namespace speaks: AMQP, AMQP over WebSockets, and administration over HTTPS. Clients are
 * given a single `host:port`, so the first bytes after the handshake decide.
 */
export async function listenForNamespace(
  port: number,
  tls: { readonly cert: Buffer; readonly key: Buffer },
): Promise<NamespaceListener> {
  const sockets = new Set<Socket>();
  const server = createTlsServer({ ...tls, noDelay: true });
  // The handshake runs on the socket below; both must be closed when the broker stops.
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  // A client that does not trust the certificate or leaves early is no reason to stop.
  server.on('tlsClientError', () => undefined);
  await listening(server, port);
  const http = createHttpServer();
  const webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: maxWebSocketMessage,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(webSocketProtocol) ? webSocketProtocol : false),
  });
  return {
    port: (server.address() as AddressInfo).port,
    serve: (amqp, administration) => {
      serveHttp(http, webSockets, amqp, administration);
      server.on('secureConnection', (socket) => route(socket, http, amqp));
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function listening(server: TlsServer, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: Error) =>
      reject(
        new Error(
          `The namespace cannot listen on ${loopback}:${port} (${error.message}). Choose another port, or 0.`,
        ),
      );
    server.once('error', refuse);
    server.listen(port, loopback, () => {
      server.off('error', refuse);
      resolve();
    });
  });
}

function route(socket: TLSSocket, http: HttpServer, amqp: AmqpEndpoint): void {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.setTimeout(firstBytesWithinMs, () => socket.destroy());
  let seen = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    const isAmqp = seen.subarray(0, amqpMagic.length).equals(amqpMagic.subarray(0, seen.length));
    if (isAmqp && seen.length < amqpMagic.length) return;
    socket.off('data', onData);
    socket.setTimeout(0);
    socket.pause();
    socket.unshift(seen);
    if (isAmqp) amqp.accept(socket);
    else http.emit('connection', socket);
    socket.resume();
  };
  socket.on('data', onData);
}

function serveHttp(
  http: HttpServer,
  webSockets: WebSocketServer,
  amqp: AmqpEndpoint,
  administration: HandleRequest,
): void {
  http.on('request', (request, response) => {
    administration(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  http.on('upgrade', (request, socket, head) => {
    const { pathname } = new URL(request.url ?? '/', 'https://localhost');
    if (decodeURI(pathname) !== webSocketPath) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
      return;
    }
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const stream = createWebSocketStream(webSocket);
      stream.on('error', () => stream.destroy());
      amqp.accept(stream);
    });
  });
}
