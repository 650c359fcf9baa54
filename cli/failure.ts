import {
  ApiError,
  ConnectionError,
  DownloadError,
  UnexpectedAnswerError,
  UploadError,
} from '../sdk/index.ts';
import { exitCodes } from './exitCodes.ts';
import { nextAfterRefusal } from './nextSteps.ts';

/** A failure that is told to the user: what happened and why in the message, what to do next in `next`. */
export class Failure extends Error {
  readonly exitCode: number;
  readonly code: string;
  readonly next: string | undefined;

  constructor(exitCode: number, code: string, message: string, next?: string) {
    super(message);
    this.name = 'Failure';
    this.exitCode = exitCode;
    this.code = code;
    this.next = next;
  }
}

/** What is printed, as text or as JSON. */
export interface FailureReport {
  readonly exitCode: number;
  readonly code: string;
  readonly message: string;
  readonly next?: string;
  readonly correlationId?: string;
}

/** Undefined for what is not an expected failure. */
export const reportOf = (error: unknown): FailureReport | undefined => {
  if (error instanceof Failure) {
    const { exitCode, code, message, next } = error;
    return { exitCode, code, message, ...(next === undefined ? {} : { next }) };
  }
  if (error instanceof ApiError) return reportOfRefusal(error);
  if (error instanceof ConnectionError) {
    return {
      exitCode: exitCodes.unavailable,
      code: 'NO_ANSWER',
      message: error.message,
      next: 'Check that the server runs and that the profile names the right address and certificate. Whether the last request was carried out is unknown: look with "lr sessions" or "lr history".',
    };
  }
  if (error instanceof DownloadError) {
    return { exitCode: exitCodes.refused, code: error.code, message: error.message };
  }
  if (error instanceof UploadError) {
    const next = nextAfterRefusal(error.code);
    return {
      exitCode: exitCodes.refused,
      code: error.code,
      message: error.message,
      ...(next === undefined ? {} : { next }),
    };
  }
  if (error instanceof UnexpectedAnswerError) {
    return { exitCode: exitCodes.internal, code: 'UNEXPECTED_ANSWER', message: error.message };
  }
  return undefined;
};

const reportOfRefusal = ({ code, status, detail, correlationId }: ApiError): FailureReport => {
  const next = nextAfterRefusal(status === 401 ? 'UNAUTHENTICATED' : code);
  return {
    exitCode:
      status === 401 ? exitCodes.notSignedIn : status >= 500 ? exitCodes.unavailable : exitCodes.refused,
    code,
    message: detail,
    ...(next === undefined ? {} : { next }),
    ...(correlationId === '' ? {} : { correlationId }),
  };
};
