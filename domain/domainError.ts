/**
 * A broken rule. `code` is stable and part of the public contract (docs/errors.md); `message` says what happened and
 * what to do next; `details` holds facts that a program may act on (a limit, a holder).
 */
export class DomainError extends Error {
  readonly code: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = 'DomainError';
    this.code = code;
    this.details = details;
  }
}
