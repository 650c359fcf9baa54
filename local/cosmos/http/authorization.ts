import { createHmac, timingSafeEqual } from 'node:crypto';
import { forbidden, unauthorized } from '../errors.ts';
import type { EntraTokens, Role } from './entraTokens.ts';
import { type CosmosRequest, header } from './exchange.ts';
import { accessOf, type Operation } from './operations.ts';

/** Checks who asks and whether they may. Throws 401 or 403 as the service does. */
export async function authorize(
  request: CosmosRequest,
  operation: Operation,
  masterKey: Buffer,
  entra: EntraTokens | undefined,
): Promise<void> {
  const fields = new URLSearchParams(decodeAuthorization(header(request, 'authorization')));
  // URLSearchParams turns the "+" of base64 into a blank.
  const signature = (fields.get('sig') ?? '').replaceAll(' ', '+');
  switch (fields.get('type')) {
    case 'master':
      return checkSignature(request, masterKey, signature);
    case 'aad': {
      if (entra === undefined)
        throw unauthorized('This account takes no Entra tokens; its configuration has no entra.');
      const { oid, role } = await entra.verify(signature);
      return checkRole(operation, oid, role);
    }
    default:
      throw unauthorized("Required Header authorization is missing or is not 'type=master' or 'type=aad'.");
  }
}

function decodeAuthorization(value: string | undefined): string {
  try {
    return decodeURIComponent(value ?? '');
  } catch {
    throw unauthorized('The authorization header is not URL-encoded.');
  }
}

function checkSignature(request: CosmosRequest, masterKey: Buffer, signature: string): void {
  const { segments, method } = request;
  // An operation on a container is signed as one of the container.
  const resource = segments[4] === 'operations' ? segments.slice(0, 4) : segments;
  const isFeed = resource.length % 2 === 1;
  const type = (isFeed ? resource.at(-1) : resource.at(-2)) ?? '';
  const link = (isFeed ? resource.slice(0, -1) : resource).join('/');
  const date = (header(request, 'x-ms-date') ?? '').toLowerCase();
  const expected = createHmac('sha256', masterKey)
    .update(`${method.toLowerCase()}\n${type}\n${link}\n${date}\n\n`)
    .digest();
  const given = Buffer.from(signature, 'base64');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw unauthorized(
      "The input authorization token can't serve the request. The signature does not fit the master key.",
    );
  }
}

function checkRole({ kind, database, container }: Operation, oid: string, role: Role | undefined): void {
  const access = accessOf[kind];
  if (access === 'masterKey') throw unauthorized('This address takes the master key only.');
  if (access === 'control') {
    throw forbidden(
      `Request blocked by Auth: the operation ${kind} cannot be authorized by AAD token in data plane. ` +
        'Databases and containers are made by set-up code, not by the application.',
      5300,
    );
  }
  if (role === undefined || (access === 'write' && role === 'reader')) {
    throw forbidden(
      `Request blocked by Auth: principal [${oid}] does not have required RBAC permissions for ${kind} ` +
        `on [dbs/${database}/colls/${container}]. Add it to entra.principals.`,
      5302,
    );
  }
}
