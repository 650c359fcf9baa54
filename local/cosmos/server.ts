import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Account, openAccount } from './account.ts';
import { badRequest, CosmosError, tooLarge } from './errors.ts';
import { answer } from './http/answer.ts';
import { authorize } from './http/authorization.ts';
import { createEntraTokens, type EntraConfig, type EntraTokens } from './http/entraTokens.ts';
import type { Answer, CosmosRequest } from './http/exchange.ts';
import { identify, isControl } from './http/operations.ts';
import { refusalCharge } from './requestCharge.ts';
import type { Synchronous } from './store/database.ts';
import { type DeclaredDatabase, makeDeclared } from './store/declared.ts';

export interface CosmosConfig {
  readonly dataDir: string;
  /** TLS port; 0 takes a free one. */
  readonly port: number;
  /** Physical partitions of a new container; 4 unless given. */
  readonly partitions?: number;
  /** FULL unless given. */
  readonly synchronous?: Synchronous;
  /** Base64. Allows everything, so only set-up code and tests should have it. */
  readonly masterKey: string;
  readonly tls: { readonly certFile: string; readonly keyFile: string };
  /** Who may come with Entra tokens; nobody unless given. */
  readonly entra?: EntraConfig;
  /** Made when missing. */
  readonly databases?: readonly DeclaredDatabase[];
}

export interface RunningCosmos {
  /** `https://localhost:PORT` */
  readonly endpoint: string;
  close(): Promise<void>;
}

const loopback = '127.0.0.1';
/** Above the largest batch, so that one that is too large can be told so. */
const maxBodySize = 4 * 1024 * 1024;

/** Starts an account on loopback. Throws when its folder is in use by another process. */
export async function startCosmos(config: CosmosConfig): Promise<RunningCosmos> {
  const masterKey = Buffer.from(config.masterKey, 'base64');
  if (masterKey.length < 16) throw new Error('masterKey must be base64 of at least 16 bytes.');
  const [cert, key] = await Promise.all([readFile(config.tls.certFile), readFile(config.tls.keyFile)]);
  const account = openAccount(config.dataDir, config.partitions ?? 4, config.synchronous ?? 'FULL');
  const server = createServer({ cert, key, keepAliveTimeout: 60_000 });
  try {
    await makeDeclared(account.catalogue, config.databases ?? []);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(config.port, loopback, resolve);
    });
    const endpoint = `https://localhost:${(server.address() as AddressInfo).port}`;
    const entra = config.entra === undefined ? undefined : await createEntraTokens(config.entra, endpoint);
    const gateway: Gateway = { account, endpoint, masterKey, entra };
    server.on('request', (request, response) => void serve(gateway, request, response));
    return {
      endpoint,
      async close() {
        const closed = new Promise((resolve) => server.close(resolve));
        server.closeIdleConnections();
        // Requests under way may finish; a client that holds on is cut off.
        const cut = setTimeout(() => server.closeAllConnections(), 500);
        await closed;
        clearTimeout(cut);
        await account.close();
      },
    };
  } catch (error) {
    server.close();
    await account.close();
    throw error;
  }
}

interface Gateway {
  readonly account: Account;
  readonly endpoint: string;
  readonly masterKey: Buffer;
  readonly entra: EntraTokens | undefined;
}

async function serve(gateway: Gateway, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  let kind = 'refused';
  try {
    const request = await readRequest(incoming);
    const operation = identify(request);
    kind = operation.kind;
    await authorize(request, operation, gateway.masterKey, gateway.entra);
    const cut = isControl(operation) ? undefined : await gateway.account.faults.meet(operation);
    if (cut === 'before') return void incoming.socket.destroy();
    const result = await answer(gateway.account, gateway.endpoint, operation, request);
    if (cut === 'after') return void incoming.socket.destroy();
    send(gateway, response, kind, result);
  } catch (error) {
    send(gateway, response, kind, refusal(error));
  }
}

async function readRequest(incoming: IncomingMessage): Promise<CosmosRequest> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    // What is too much is still read, or the client would see a broken connection instead of the answer.
    if (size <= maxBodySize) chunks.push(bytes);
  }
  if (size > maxBodySize) throw tooLarge('Request size is too large.');
  const [path = '/'] = (incoming.url ?? '/').split('?');
  return {
    method: incoming.method ?? 'GET',
    segments: path
      .split('/')
      .filter((segment) => segment !== '')
      .map(decodeSegment),
    headers: incoming.headers,
    body: Buffer.concat(chunks).toString('utf8'),
  };
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw badRequest(`The address holds '${segment}', which is not URL-encoded.`);
  }
}

function refusal(error: unknown): Answer {
  if (error instanceof CosmosError) {
    return {
      status: error.status,
      charge: refusalCharge,
      body: JSON.stringify({ code: error.code, message: error.message, ...error.details }),
      headers: {
        ...error.headers,
        ...(error.substatus === undefined ? {} : { 'x-ms-substatus': String(error.substatus) }),
      },
    };
  }
  process.stderr.write(
    `cosmos: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  const message = 'The local Cosmos DB failed; its log says why.';
  return { status: 500, charge: 0, body: JSON.stringify({ code: 'InternalServerError', message }) };
}

function send({ account }: Gateway, response: ServerResponse, kind: string, result: Answer): void {
  account.counters.add(kind, result.charge);
  response.writeHead(result.status, {
    'content-type': 'application/json',
    'x-ms-request-charge': result.charge.toFixed(2),
    'x-ms-activity-id': randomUUID(),
    'x-ms-version': '2020-07-15',
    ...(result.body === undefined ? {} : { 'content-length': Buffer.byteLength(result.body) }),
    ...result.headers,
  });
  response.end(result.body);
}
