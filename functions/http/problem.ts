import type { HttpResponseInit } from '@azure/functions';
import { ZodError } from 'zod';
import { DomainError } from '../../domain/domainError.ts';

/** HTTP status by stable code; a code that is not listed is a bug of ours and answers 500. */
export const statusOf: Readonly<Record<string, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  RIGHT_MISSING: 403,
  LIVE_RESPONSE_OFF: 403,
  ENROLMENT_TOKEN_INVALID: 403,
  PROOF_INVALID: 403,
  DEVICE_RETIRED: 403,
  SCRIPT_UNSIGNED: 403,
  NOT_FOUND: 404,
  SESSION_UNKNOWN: 404,
  COMMAND_UNKNOWN: 404,
  DEVICE_UNKNOWN: 404,
  FILE_UNKNOWN: 404,
  LIBRARY_FILE_UNKNOWN: 404,
  UPLOAD_UNKNOWN: 404,
  LIBRARY_FILE_EXISTS: 409,
  LIBRARY_FULL: 409,
  UPLOAD_CLOSED: 409,
  SIGNER_LIMIT: 409,
  LIBRARY_NAME_INVALID: 400,
  LIBRARY_DESCRIPTION_INVALID: 400,
  LIBRARY_FILE_TOO_LARGE: 400,
  CONTENT_MISMATCH: 400,
  SIGNATURE_INVALID: 400,
  SIGNER_UNKNOWN: 400,
  SIGNER_KEY_INVALID: 400,
  TENANT_SESSION_LIMIT: 409,
  USER_SESSION_LIMIT: 409,
  DEVICE_SESSION_LIMIT: 409,
  FOREGROUND_BUSY: 409,
  BACKGROUND_LIMIT: 409,
  SESSION_NOT_CONNECTED: 409,
  SESSION_ENDED: 409,
  SESSION_FULL: 409,
  SESSION_ABANDONED: 503,
  IDEMPOTENCY_MISMATCH: 409,
  ENROLMENT_TOKEN_LIMIT: 409,
  STORE_BUSY: 503,
  IDEMPOTENCY_KEY_MISSING: 400,
  BODY_INVALID: 400,
  QUERY_INVALID: 400,
  LIMIT_OUT_OF_BOUNDS: 400,
  ENROLMENT_TOKEN_USES: 400,
  LINE_EMPTY: 400,
  LINE_TOO_LONG: 400,
  LINE_NOT_TEXT: 400,
  QUOTE_UNCLOSED: 400,
  QUOTE_MISPLACED: 400,
  UNKNOWN_COMMAND: 400,
  UNKNOWN_PARAMETER: 400,
  UNKNOWN_FLAG: 400,
  PARAMETER_MISSING: 400,
  PARAMETER_INVALID: 400,
  PARAMETER_TWICE: 400,
  TOO_MANY_PARAMETERS: 400,
  OUTPUT_INVALID: 400,
  BACKGROUND_INVALID: 400,
  REDIRECT_INVALID: 400,
  NOT_ON_PLATFORM: 400,
  NOT_SUPPORTED_BY_AGENT: 400,
  NOT_SUPPORTED: 400,
};

const titles: Readonly<Record<number, string>> = {
  400: 'The request is wrong',
  401: 'Sign in first',
  403: 'Not allowed',
  404: 'Not found',
  409: 'Not now',
  500: 'Something went wrong here',
  503: 'Try again',
};

/** RFC 9457 answer for whatever was thrown. Only a {@link DomainError} speaks to the caller; anything else stays inside. */
export const problemOf = (error: unknown, correlationId: string): HttpResponseInit => {
  const told = error instanceof ZodError ? wrongShape(error) : isUnreachable(error) ? unreachable() : error;
  const known = told instanceof DomainError && statusOf[told.code] !== undefined ? told : undefined;
  const status = known === undefined ? 500 : (statusOf[known.code] ?? 500);
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'x-correlation-id': correlationId,
      ...(status === 503 ? { 'retry-after': '1' } : {}),
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    },
    body: JSON.stringify({
      type: 'about:blank',
      title: titles[status] ?? 'Refused',
      status,
      detail:
        known?.message ??
        'An unexpected error happened. It was logged under the correlation id; try again or report it with that id.',
      code: known?.code ?? 'INTERNAL',
      correlationId,
      ...(known?.details ?? {}),
    }),
  };
};

export const isOurFault = (error: unknown): boolean =>
  !(error instanceof ZodError) && !(error instanceof DomainError && statusOf[error.code] !== undefined);

const unreachableCodes: ReadonlySet<unknown> = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'],
  'TimeoutError',
  // What Cosmos DB still says when its SDK has given up: time-out, gone, too many requests, retry with, unavailable.
  ...[408, 410, 429, 449, 503],
]);

/** A part of the backend did not answer: nothing is wrong with the request, and it may be sent again. */
const isUnreachable = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && unreachableCodes.has(error.code);

const unreachable = (): DomainError =>
  new DomainError(
    'STORE_BUSY',
    'A part of the backend does not answer. Send the same request again, with the same Idempotency-Key if it has one.',
  );

const wrongShape = (error: ZodError): DomainError =>
  new DomainError('BODY_INVALID', 'The body does not have the shape that this request needs.', {
    faults: error.issues.slice(0, 20).map(({ path, message }) => ({ at: path.join('.'), fault: message })),
  });
