/** A refusal in the shape the service gives: HTTP status, code, and a substatus that the SDK acts on. */
export class CosmosError extends Error {
  readonly status: number;
  readonly code: string;
  readonly substatus: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Properties of the body beside code and message. */
  readonly details: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    substatus?: number,
    headers: Readonly<Record<string, string>> = {},
    details: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = 'CosmosError';
    this.status = status;
    this.code = code;
    this.substatus = substatus;
    this.headers = headers;
    this.details = details;
  }
}

export const badRequest = (message: string, substatus?: number) =>
  new CosmosError(400, 'BadRequest', message, substatus);

/** For what the service can do and this stand-in does not. */
export const notImitated = (what: string) => badRequest(`${what} is not supported by the local Cosmos DB.`);

export const unauthorized = (message: string) => new CosmosError(401, 'Unauthorized', message);

export const forbidden = (message: string, substatus: number) =>
  new CosmosError(403, 'Forbidden', message, substatus);

export const notFound = () => new CosmosError(404, 'NotFound', 'The item does not exist in the system.', 0);

export const ownerNotFound = (what: string) =>
  new CosmosError(404, 'NotFound', `${what} does not exist. Owner resource does not exist.`, 1003);

export const conflict = (what: string) =>
  new CosmosError(409, 'Conflict', `${what} with the specified id already exists in the system.`);

export const partitionGone = () =>
  new CosmosError(410, 'Gone', 'The partition key range is gone. Read the ranges again.', 1002);

export const preconditionFailed = () =>
  new CosmosError(412, 'PreconditionFailed', 'The item has another etag than the request expects.');

export const tooLarge = (message: string) => new CosmosError(413, 'RequestEntityTooLarge', message);
