import type {
  FunctionInput,
  HttpMethod,
  HttpRequest,
  HttpResponseInit,
  InvocationContext,
} from '@azure/functions';
import type * as z from 'zod';
import { DomainError } from '../../domain/domainError.ts';
import type { AppendMetadata } from '../../domain/eventStore.ts';
import type { Caller, EntraTokens, Right } from '../adapters/entraTokens.ts';
import { isOurFault, problemOf } from './problem.ts';

/** A request after sign-in. */
export interface Signed {
  readonly request: HttpRequest;
  readonly caller: Caller;
  readonly context: InvocationContext;
  readonly correlationId: string;
  /** For what is appended on behalf of the caller; `causationId` is what makes a repeat recognisable. */
  readonly metadata: (causationId: string) => Omit<AppendMetadata, 'now'>;
}

/** One HTTP function: its file name is its function name. */
export interface Route {
  readonly name: string;
  readonly method: HttpMethod;
  readonly path: string;
  readonly extraInputs?: FunctionInput[];
  readonly handle: (request: HttpRequest, context: InvocationContext) => Promise<HttpResponseInit>;
}

const correlationOf = (request: HttpRequest, context: InvocationContext): string => {
  const given = request.headers.get('x-correlation-id');
  return given !== null && /^[\w.-]{1,100}$/.test(given) ? given : context.invocationId;
};

/** Answers every error as a problem; logs only what is our own fault. */
export const answering =
  (
    handle: (
      request: HttpRequest,
      context: InvocationContext,
      correlationId: string,
    ) => Promise<HttpResponseInit>,
  ) =>
  async (request: HttpRequest, context: InvocationContext): Promise<HttpResponseInit> => {
    const correlationId = correlationOf(request, context);
    try {
      return await handle(request, context, correlationId);
    } catch (error) {
      if (isOurFault(error))
        context.error(
          `${correlationId}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
      return problemOf(error, correlationId);
    }
  };

/** A handler for signed-in callers who hold one of `rights`. */
export const signedIn = (
  tokens: EntraTokens,
  rights: readonly Right[],
  handle: (signed: Signed) => Promise<HttpResponseInit>,
): Route['handle'] =>
  answering(async (request, context, correlationId) => {
    const token = /^Bearer (\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
    const caller = token === undefined ? undefined : await tokens.verify(token);
    if (caller === undefined) {
      throw new DomainError(
        'UNAUTHENTICATED',
        'This request needs a valid access token for this API. Sign in and send it as a bearer token.',
      );
    }
    if (!rights.some((right) => caller.rights.has(right))) {
      throw new DomainError(
        'FORBIDDEN',
        `This needs the right ${rights.join(' or ')}. Ask an administrator for the app role.`,
        { rights },
      );
    }
    const traceparent = request.headers.get('traceparent');
    const metadata = (causationId: string) => ({
      actor: caller.actor,
      correlationId,
      causationId,
      traceparent,
    });
    return handle({ request, caller, context, correlationId, metadata });
  });

const largestBody = 64 * 1024;

/** The body as the schema gives it. No request of this API is large; what is gets cut off before it is held in memory. */
export const bodyOf = async <Schema extends z.ZodType>(
  request: HttpRequest,
  schema: Schema,
): Promise<z.infer<Schema>> => {
  const text = await textOf(request);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new DomainError('BODY_INVALID', 'The body is not JSON.');
  }
  return schema.parse(value);
};

const textOf = async (request: HttpRequest): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    chunks.push(chunk as Uint8Array);
    size += (chunk as Uint8Array).length;
    if (size > largestBody) {
      throw new DomainError(
        'BODY_INVALID',
        `The body is larger than ${largestBody} bytes, which no request of this API is.`,
      );
    }
  }
  try {
    // Replacing what is not UTF-8 would run another line than the one that was sent.
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new DomainError('BODY_INVALID', 'The body is not UTF-8.');
  }
};

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The key that makes a repeated request the same request: it becomes the id of what the request makes. */
export const idempotencyKeyOf = (request: HttpRequest): string => {
  const key = request.headers.get('idempotency-key');
  if (key === null || !uuidForm.test(key)) {
    throw new DomainError(
      'IDEMPOTENCY_KEY_MISSING',
      'Send an Idempotency-Key header with a new UUID; send the same one when you repeat the request.',
    );
  }
  return key.toLowerCase();
};

/** A UUID from the path. What is no id is answered like an id that does not exist. */
export const uuidParameter = (request: HttpRequest, name: string, code: string): string => {
  const value = request.params[name];
  if (value === undefined || !uuidForm.test(value))
    throw new DomainError(code, 'There is no such thing, or you may not see it.');
  return value.toLowerCase();
};

/** A whole number from the query within bounds. */
export const numberFromQuery = (
  request: HttpRequest,
  name: string,
  bounds: { least: number; most: number; otherwise: number },
): number => {
  const value = request.query.get(name);
  if (value === null) return bounds.otherwise;
  const number = Number(value);
  if (!Number.isInteger(number) || number < bounds.least || number > bounds.most) {
    throw new DomainError(
      'QUERY_INVALID',
      `${name} must be a whole number from ${bounds.least} to ${bounds.most}.`,
    );
  }
  return number;
};

export const json = (status: number, value: unknown): HttpResponseInit => ({ status, jsonBody: value });
