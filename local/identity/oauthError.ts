import { randomUUID } from 'node:crypto';

/** A refusal in the shape of the OAuth endpoints, with the number that clients of Entra look for. */
export class OAuthError extends Error {
  readonly status: number;
  readonly error: string;
  readonly number: number;

  constructor(status: number, error: string, number: number, message: string) {
    super(message);
    this.name = 'OAuthError';
    this.status = status;
    this.error = error;
    this.number = number;
  }

  toBody(): Record<string, unknown> {
    return {
      error: this.error,
      error_description: `AADSTS${this.number}: ${this.message}`,
      error_codes: [this.number],
      timestamp: new Date().toISOString(),
      trace_id: randomUUID(),
      correlation_id: randomUUID(),
    };
  }
}
