/** A refusal of the management API, with its HTTP status. */
export class DurableRefusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
