/** A refusal that a client gets to see: an AMQP error condition and a sentence. */
export class BrokerError extends Error {
  readonly condition: string;

  constructor(condition: string, text: string) {
    super(text);
    this.condition = condition;
  }
}

export const notImplemented = (what: string): BrokerError =>
  new BrokerError(
    'amqp:not-implemented',
    `${what} is not imitated by this local broker. Use a real namespace to work with it.`,
  );

export const unauthorized = (text: string): BrokerError => new BrokerError('amqp:unauthorized-access', text);

/** The official SDK recognises a missing entity by this very sentence, not by the condition. */
export const entityNotFound = (address: string): BrokerError =>
  new BrokerError('amqp:not-found', `The messaging entity '${address}' could not be found.`);

export const notAllowed = (text: string): BrokerError => new BrokerError('amqp:not-allowed', text);

export const entityDisabled = (address: string): BrokerError =>
  new BrokerError('com.microsoft:entity-disabled', `The messaging entity '${address}' is disabled for this.`);

export const lockLost = (): BrokerError =>
  new BrokerError(
    'com.microsoft:message-lock-lost',
    'The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue.',
  );

export const messageNotFound = (sequence: number): BrokerError =>
  new BrokerError(
    'com.microsoft:message-not-found',
    `There is no message with the sequence number ${sequence} in the state that this operation needs.`,
  );

export const invalidArgument = (text: string): BrokerError =>
  new BrokerError('com.microsoft:argument-error', text);

/** What an AMQP peer is told about any error. */
export function describeError(error: unknown): { condition: string; description: string } {
  if (error instanceof BrokerError) return { condition: error.condition, description: error.message };
  return {
    condition: 'amqp:internal-error',
    description: error instanceof Error ? error.message : String(error),
  };
}

const statuses: Readonly<Record<string, number>> = {
  'amqp:unauthorized-access': 401,
  'amqp:resource-limit-exceeded': 403,
  'amqp:not-found': 404,
  'com.microsoft:message-not-found': 404,
  'com.microsoft:entity-already-exists': 409,
  'com.microsoft:message-lock-lost': 410,
  'com.microsoft:session-lock-lost': 410,
  'amqp:not-implemented': 501,
  'com.microsoft:server-busy': 503,
};

/** The status that `$management` and the administration tell an error with. */
export const httpStatusOf = (error: unknown): number =>
  error instanceof BrokerError ? (statuses[error.condition] ?? 400) : 500;
