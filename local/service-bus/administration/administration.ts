import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  BrokerError,
  entityNotFound,
  invalidArgument,
  notImplemented,
  unauthorized,
} from '../brokerError.ts';
import type { Namespace } from '../engine/namespace.ts';
import type { Store } from '../store.ts';
import { type Gatekeeper, tokenType } from '../tokens/gatekeeper.ts';
import { describeQueue, readQueueDescription } from './queueDescription.ts';
import { element } from './xml.ts';

const maxBodySize = 65_536;

const statusOf: Readonly<Record<string, number>> = {
  'amqp:unauthorized-access': 401,
  'amqp:not-found': 404,
  'com.microsoft:entity-already-exists': 409,
  'com.microsoft:argument-error': 400,
  'amqp:not-implemented': 501,
};

interface Answer {
  readonly status: number;
  readonly body: string;
}

export type HandleRequest = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** The administration protocol over HTTPS: one queue at a time. */
export function createAdministration(
  namespace: Namespace,
  store: Store,
  gatekeeper: Gatekeeper,
): HandleRequest {
  return async (request, response) => {
    const send = ({ status, body }: Answer) => {
      response.writeHead(status, { 'content-type': 'application/atom+xml;type=entry;charset=utf-8' });
      response.end(body);
    };
    try {
      const answer = await perform(request, namespace, gatekeeper);
      store.afterCommit(() => send(answer));
    } catch (error) {
      const status = error instanceof BrokerError ? (statusOf[error.condition] ?? 400) : 500;
      const detail = error instanceof Error ? error.message : String(error);
      send({ status, body: `<Error>${element('Code', status)}${element('Detail', detail)}</Error>` });
    }
  };
}

async function perform(
  request: IncomingMessage,
  namespace: Namespace,
  gatekeeper: Gatekeeper,
): Promise<Answer> {
  const host = request.headers.host ?? '';
  const url = new URL(request.url ?? '/', `https://${host || 'localhost'}`);
  const path = decodePath(url.pathname);
  await authorize(request, url.href, gatekeeper);
  if (path === '' || path.startsWith('$') || /\/(subscriptions|rules)(\/|$)/i.test(path)) {
    throw notImplemented(`The request ${request.method} /${path}`);
  }
  const queue = namespace.find(path);
  switch (request.method) {
    case 'GET':
      if (!queue || queue.isDeadLetter) throw entityNotFound(path);
      return { status: 200, body: describeQueue(host, queue) };
    case 'DELETE':
      namespace.remove(path);
      return { status: 200, body: '' };
    case 'PUT': {
      const body = await readBody(request);
      if (request.headers['if-match'] === '*') {
        const current = namespace.find(path);
        if (!current) throw entityNotFound(path);
        const updated = namespace.update(path, readQueueDescription(body, current.settings));
        return { status: 200, body: describeQueue(host, updated) };
      }
      return { status: 201, body: describeQueue(host, namespace.create(path, readQueueDescription(body))) };
    }
    default:
      throw notImplemented(`The method ${request.method}`);
  }
}

async function authorize(request: IncomingMessage, uri: string, gatekeeper: Gatekeeper): Promise<void> {
  const header = request.headers.authorization ?? '';
  const bearer = /^Bearer\s+(\S+)$/i.exec(header)?.[1];
  const grant = bearer
    ? await gatekeeper.admit(tokenType.jwt, bearer, uri)
    : await gatekeeper.admit(tokenType.sas, header, uri);
  if (!grant.rights.includes('Manage')) {
    throw unauthorized("Unauthorized access. 'Manage' claim is required to administer entities.");
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodySize) throw invalidArgument(`The body is larger than ${maxBodySize} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function decodePath(pathname: string): string {
  try {
    return decodeURIComponent(pathname).replace(/^\/+|\/+$/g, '');
  } catch {
    throw invalidArgument(`The path ${pathname} is not properly percent-encoded.`);
  }
}
