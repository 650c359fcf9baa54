import type { Problem } from '../contracts/http.ts';

/** The server refused or failed, and said so. `code` is stable; `detail` is for people. */
export class ApiError extends Error {
  readonly problem: Problem;
  readonly code: string;
  readonly status: number;
  readonly detail: string;
  /** Names this request in the server's logs. */
  readonly correlationId: string;

  constructor(problem: Problem) {
    super(`${problem.title}: ${problem.detail}`);
    this.name = 'ApiError';
    this.problem = problem;
    this.code = problem.code;
    this.status = problem.status;
    this.detail = problem.detail;
    this.correlationId = problem.correlationId;
  }
}

/** No whole answer arrived: whether the server did what it was asked is unknown. */
export class ConnectionError extends Error {
  constructor(server: string, cause: unknown) {
    super(`No whole answer from ${server}: ${reasonOf(cause)}.`, { cause });
    this.name = 'ConnectionError';
  }
}

/** The server answered with something that the API does not promise. */
export class UnexpectedAnswerError extends Error {
  constructor(where: string, what: string) {
    super(
      `${where} answered with something unexpected: ${what}. Client and server may be of different versions.`,
    );
    this.name = 'UnexpectedAnswerError';
  }
}

/** A download was not kept. `code` says why. */
export class DownloadError extends Error {
  readonly code: 'FILE_EXISTS' | 'FILE_REPLACED' | 'CONTENT_MISMATCH' | 'STORE_REFUSED';

  constructor(code: DownloadError['code'], message: string) {
    super(message);
    this.name = 'DownloadError';
    this.code = code;
  }
}

/** An upload was not taken. `code` says why; it is stable. */
export class UploadError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'UploadError';
    this.code = code;
  }
}

/** `fetch` says "fetch failed" and hides why in `cause`; a refused connection has one more level. */
export const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error.cause === undefined ? error.message : reasonOf(error.cause);
};

/** The innermost system error code, such as ECONNREFUSED. */
export const systemCodeOf = (error: unknown): string | undefined => {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { readonly code?: unknown };
  return systemCodeOf(error.cause) ?? (typeof code === 'string' ? code : undefined);
};
