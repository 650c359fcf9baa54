import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { httpStatusOf, invalidArgument, notImplemented, unauthorized } from '../brokerError.ts';
import type { Namespace } from '../engine/namespace.ts';
import { type Faults, refuseIfAsked } from '../faults.ts';
import type { Store } from '../store.ts';
import { type Gatekeeper, tokenType } from '../tokens/gatekeeper.ts';
import { type Answer, performEntityRequest } from './entityRequests.ts';
import { element } from './xml.ts';

const faultsPath = '_local/faults';
const maxBodySize = 65_536;

export type HandleRequest = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export interface AdministrationContext {
  readonly namespace: Namespace;
  readonly store: Store;
  readonly gatekeeper: Gatekeeper;
  readonly faults: Faults;
}

/** The administration protocol over HTTPS. */
export function createAdministration(context: AdministrationContext): HandleRequest {
  return async (request, response) => {
    const send = ({ status, body, type = 'application/atom+xml;type=entry;charset=utf-8' }: Answer) => {
      response.writeHead(status, { 'content-type': type });
      response.end(body);
    };
    try {
      const answer = await perform(request, context);
      context.store.afterCommit(() => send(answer));
    } catch (error) {
      const status = httpStatusOf(error);
      const detail = error instanceof Error ? error.message : String(error);
      send({ status, body: `<Error>${element('Code', status)}${element('Detail', detail)}</Error>` });
    }
  };
}

async function perform(request: IncomingMessage, context: AdministrationContext): Promise<Answer> {
  const { namespace, gatekeeper, faults } = context;
  const host = request.headers.host ?? '';
  const url = new URL(request.url ?? '/', `https://${host || 'localhost'}`);
  const path = decodePath(url.pathname);
  if (path === faultsPath) {
    await authorize(request, url.origin, gatekeeper);
    return controlFaults(request, faults);
  }
  await authorize(request, url.href, gatekeeper);
  const fault = faults.meet('administer', path);
  refuseIfAsked(fault);
  if (fault?.do === 'delay') await delay(fault.delayMs);
  return performEntityRequest(namespace, {
    method: request.method ?? 'GET',
    url,
    path,
    isUpdate: request.headers['if-match'] === '*',
    body: request.method === 'PUT' ? await readBody(request) : '',
  });
}

/** Switches what shall go wrong; for tests, and part of no real namespace. */
async function controlFaults(request: IncomingMessage, faults: Faults): Promise<Answer> {
  switch (request.method) {
    case 'GET':
      return { status: 200, body: JSON.stringify(faults.list()), type: 'application/json' };
    case 'POST':
      faults.set(parseJson(await readBody(request)));
      return { status: 204, body: '' };
    default:
      throw notImplemented(`The method ${request.method}`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalidArgument('The body is not JSON.');
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
