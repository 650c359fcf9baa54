/** What filters and actions can read and change of a message. */
export type PropertyValue = string | number | boolean | Date;

/** Names of system properties in the order of the AMQP properties section. */
export const systemProperties = [
  'MessageId',
  'UserId',
  'To',
  'Label',
  'ReplyTo',
  'CorrelationId',
  'ContentType',
  'ContentEncoding',
  'AbsoluteExpiryTime',
  'CreationTime',
  'SessionId',
  'GroupSequence',
  'ReplyToSessionId',
] as const;

export type SystemProperty = (typeof systemProperties)[number];

export interface FilteredMessage {
  readonly system: ReadonlyMap<SystemProperty, unknown>;
  readonly application: ReadonlyMap<string, unknown>;
}

/** What an action changes; undefined removes the property. */
export interface PropertyChanges {
  readonly system: Map<SystemProperty, PropertyValue | undefined>;
  readonly application: Map<string, PropertyValue | undefined>;
}

/** A property that an expression names. */
export type PropertyName =
  | { readonly scope: 'system'; readonly name: SystemProperty }
  | { readonly scope: 'application'; readonly name: string };

const aliases: Readonly<Record<string, SystemProperty>> = { subject: 'Label' };

/** Finds a system property whatever its case. */
export function systemPropertyOf(name: string): SystemProperty | undefined {
  const wanted = name.toLowerCase();
  return aliases[wanted] ?? systemProperties.find((property) => property.toLowerCase() === wanted);
}
