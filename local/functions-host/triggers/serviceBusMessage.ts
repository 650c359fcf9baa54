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

/** The trigger value of a batch. Empty texts are dropped on the way to the worker, as the real host does. */
export function batchValue(messages: readonly ServiceBusReceivedMessage[], dataType: unknown): TypedData {
  const values = messages.map((message) => messageValue(message, dataType));
  return String(dataType).toLowerCase() === 'binary'
    ? { collectionBytes: { bytes: values.map(({ bytes, string = '' }) => bytes ?? Buffer.from(string)) } }
    : { collectionString: { string: values.map(({ string = '' }) => string).filter(isNotEmpty) } };
}

/** Trigger metadata in the names of the wire; the library turns them to camel case. Absent values are left out. */
export function messageMetadata(message: ServiceBusReceivedMessage): Record<string, TypedData> {
  const metadata = Object.fromEntries(
    Object.entries(metadataValues(message))
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

const textNames = new Set([
  'DeadLetterSource',
  'LockToken',
  'MessageId',
  'ContentType',
  'ReplyTo',
  'To',
  'Subject',
  'Label',
  'CorrelationId',
  'SessionId',
  'ReplyToSessionId',
  'PartitionKey',
]);

/**
 * Trigger metadata of a batch: one array per name. Arrays of text lose their empty elements on the way to the worker,
 * so these need not be as long as the batch; the others keep them as null.
 */
export function batchMetadata(messages: readonly ServiceBusReceivedMessage[]): Record<string, TypedData> {
  const rows = messages.map(metadataValues);
  const metadata = Object.fromEntries(
    Object.keys(rows[0] ?? {}).map((name): [string, TypedData] => {
      const values = rows.map((row) => row[name] ?? null);
      return [
        `${name}Array`,
        textNames.has(name)
          ? {
              collectionString: {
                string: values.filter((value) => typeof value === 'string').filter(isNotEmpty),
              },
            }
          : { json: JSON.stringify(values) },
      ];
    }),
  );
  metadata.SequenceNumberArray = {
    collectionSint64: { sint64: messages.map(({ sequenceNumber }) => Number(sequenceNumber ?? 0)) },
  };
  return metadata;
}

const isNotEmpty = (value: string): boolean => value !== '';

function metadataValues(message: ServiceBusReceivedMessage): Record<string, unknown> {
  const enqueued = message.enqueuedTimeUtc;
  const expires = message.expiresAtUtc;
  return {
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
}

function text(value: string | number | Buffer | undefined): string | undefined {
  return value === undefined || value === null
    ? undefined
    : Buffer.isBuffer(value)
      ? value.toString('utf8')
      : String(value);
}
