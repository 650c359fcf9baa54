import type { ServiceBusReceivedMessage } from '@azure/service-bus';
import type { TypedData } from '../protocol.ts';

/** The trigger value: the body as text, or as bytes when the function asked for `dataType: binary`. */
export function messageValue(message: ServiceBusReceivedMessage, dataType: unknown): TypedData {
  const body: unknown = message.body;
  if (Buffer.isBuffer(body)) {
    return String(dataType).toLowerCase() === 'binary' ? { bytes: body } : { string: body.toString('utf8') };
  }
  // AMQP value and sequence bodies arrive decoded.
  return { string: typeof body === 'string' ? body : JSON.stringify(body ?? null) };
}

/** Trigger metadata in the names of the wire; the library turns them to camel case. Absent values are left out. */
export function messageMetadata(message: ServiceBusReceivedMessage): Record<string, TypedData> {
  const enqueued = message.enqueuedTimeUtc;
  const expires = message.expiresAtUtc;
  const values: Record<string, unknown> = {
    // The SDK shows the header's count, .NET counts the delivery under way.
    DeliveryCount: (message.deliveryCount ?? 0) + 1,
    DeadLetterSource: message.deadLetterSource,
    LockToken: message.lockToken,
    ExpiresAtUtc: expires,
    ExpiresAt: expires,
    EnqueuedTimeUtc: enqueued,
    EnqueuedTime: enqueued,
    MessageId: text(message.messageId),
    ContentType: message.contentType,
    ReplyTo: message.replyTo,
    To: message.to,
    Subject: message.subject,
    Label: message.subject,
    CorrelationId: text(message.correlationId),
    ApplicationProperties: message.applicationProperties ?? {},
    UserProperties: message.applicationProperties ?? {},
    SessionId: message.sessionId,
    ReplyToSessionId: message.replyToSessionId,
    PartitionKey: message.partitionKey,
  };
  const metadata = Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([name, value]): [string, TypedData] => [
        name,
        typeof value === 'string' ? { string: value } : { json: JSON.stringify(value) },
      ]),
  );
  if (message.sequenceNumber !== undefined)
    metadata.SequenceNumber = { json: message.sequenceNumber.toString() };
  return metadata;
}

function text(value: string | number | Buffer | undefined): string | undefined {
  return value === undefined || value === null
    ? undefined
    : Buffer.isBuffer(value)
      ? value.toString('utf8')
      : String(value);
}
