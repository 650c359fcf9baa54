import { randomBytes } from 'node:crypto';
import { type Typed, types } from '../amqp/rhea.ts';
import { BrokerError } from '../brokerError.ts';
import {
  type FilteredMessage,
  type PropertyChanges,
  type SystemProperty,
  systemProperties,
} from '../filters/message.ts';

/** Fields of the AMQP header that travel with a message; `ttl` in ms. */
export interface Header {
  readonly durable: boolean;
  readonly priority?: number;
  readonly ttl?: number;
}

/** One encoded message, taken apart as far as the broker needs. */
export interface ParsedMessage extends Header {
  /** Keys and values by turns. */
  readonly annotations: readonly Typed[];
  readonly messageId: string;
  readonly sessionId?: string;
  /** Properties to footer, byte for byte as sent (a missing message id is added), in a buffer of its own. */
  readonly bare: Buffer;
  /** The delivery count in the header: 0 from a client, the stored one from disk. */
  readonly deliveryCount: number;
}

const section = {
  header: 0x70,
  messageAnnotations: 0x72,
  properties: 0x73,
  applicationProperties: 0x74,
  data: 0x75,
} as const;
const propertyIndex = { messageId: 0, groupId: 10 } as const;

interface Sections {
  header: readonly Typed[];
  annotations: readonly Typed[];
  properties: readonly Typed[];
  propertiesBytes: Buffer;
  applicationProperties: readonly Typed[];
  applicationPropertiesBytes: Buffer;
  /** Body and footer. */
  rest: Buffer;
}

/** Throws BrokerError (amqp:decode-error) on bytes that are no AMQP message. */
export function parseMessage(raw: Buffer): ParsedMessage {
  return decoding(() => {
    const sections = split(raw);
    const [durable, priority, ttl, , deliveryCount] = sections.header.map((field) => types.unwrap(field));
    const messageId = types.unwrap(sections.properties[propertyIndex.messageId]);
    const sessionId = types.unwrap(sections.properties[propertyIndex.groupId]);
    const missingId = messageId === undefined || messageId === null;
    const id = missingId ? randomBytes(16).toString('hex') : textOf(messageId);
    const properties = missingId ? withMessageId(sections.properties, id) : sections.propertiesBytes;
    return {
      durable: durable === true,
      ...(typeof priority === 'number' ? { priority } : {}),
      ...(typeof ttl === 'number' ? { ttl } : {}),
      annotations: sections.annotations,
      messageId: id,
      ...(typeof sessionId === 'string' ? { sessionId } : {}),
      bare: ownCopy([properties, sections.applicationPropertiesBytes, sections.rest]),
      deliveryCount: typeof deliveryCount === 'number' ? deliveryCount : 0,
    };
  });
}

/** The messages inside a batch envelope: each data section is one encoded message. */
export function splitBatch(raw: Buffer): Buffer[] {
  return decoding(() => {
    const reader = new types.Reader(raw);
    const messages: Buffer[] = [];
    while (reader.remaining() > 0) {
      const part = reader.read();
      if (codeOf(part) === section.data && Buffer.isBuffer(part.value)) messages.push(part.value);
    }
    return messages;
  });
}

export function encodeMessage(
  header: Header,
  deliveryCount: number,
  annotations: readonly Typed[],
  bare: Buffer,
): Buffer {
  const writer = new types.Writer();
  writer.write(
    described(
      section.header,
      types.List32([
        header.durable ? types.True() : types.Null(),
        header.priority === undefined ? types.Null() : types.Ubyte(header.priority),
        header.ttl === undefined ? types.Null() : types.Uint(header.ttl),
        types.Null(),
        types.Uint(deliveryCount),
      ]),
    ),
  );
  if (annotations.length > 0) writer.write(described(section.messageAnnotations, types.Map32(annotations)));
  return Buffer.concat([writer.toBuffer(), bare]);
}

/** `bare` with application properties set or replaced; all other sections stay untouched. Null values are skipped. */
export function withApplicationProperties(bare: Buffer, changes: Readonly<Record<string, unknown>>): Buffer {
  const wanted = Object.entries(changes).filter(([, value]) => value !== undefined && value !== null);
  if (wanted.length === 0) return bare;
  const sections = split(bare);
  let properties = sections.applicationProperties;
  for (const [name, value] of wanted) {
    properties = withEntry(properties, types.wrap_string(name), types.wrap(value));
  }
  const writer = new types.Writer();
  writer.write(described(section.applicationProperties, types.Map32(properties)));
  return ownCopy([sections.propertiesBytes, writer.toBuffer(), sections.rest]);
}

/** What filters can see of a message. */
export function filteredMessage(bare: Buffer): FilteredMessage {
  const { properties, applicationProperties } = split(bare);
  const system = new Map<SystemProperty, unknown>();
  for (const [index, name] of systemProperties.entries()) {
    const value = types.unwrap(properties[index]);
    if (value !== undefined && value !== null) system.set(name, value);
  }
  const application = new Map<string, unknown>();
  for (let index = 0; index + 1 < applicationProperties.length; index += 2) {
    application.set(
      String(applicationProperties[index]?.value),
      types.unwrap(applicationProperties[index + 1]),
    );
  }
  return { system, application };
}

/** `bare` with what an action changes. */
export function withChanges(bare: Buffer, changes: PropertyChanges): Buffer {
  const sections = split(bare);
  // rhea decodes every empty list into one shared array, so a copy is changed.
  const properties = systemProperties.map((name, index) => {
    if (!changes.system.has(name)) return sections.properties[index] ?? types.Null();
    const value = changes.system.get(name);
    return value === undefined ? types.Null() : types.wrap_string(String(value));
  });
  let application = sections.applicationProperties;
  for (const [name, value] of changes.application) {
    const key = types.wrap_string(name);
    application =
      value === undefined ? withoutEntry(application, key) : withEntry(application, key, types.wrap(value));
  }
  const writer = new types.Writer();
  writer.write(described(section.properties, types.List32(properties)));
  writer.write(described(section.applicationProperties, types.Map32(application)));
  return ownCopy([writer.toBuffer(), sections.rest]);
}

/** A copy of a map's keys and values with one entry set. */
export function withEntry(entries: readonly Typed[], key: Typed, value: Typed): Typed[] {
  return [...withoutEntry(entries, key), key, value];
}

function withoutEntry(entries: readonly Typed[], key: Typed): Typed[] {
  const kept: Typed[] = [];
  for (let index = 0; index + 1 < entries.length; index += 2) {
    const entryKey = entries[index] as Typed;
    if (entryKey.value !== key.value) kept.push(entryKey, entries[index + 1] as Typed);
  }
  return kept;
}

export function entryOf(entries: readonly Typed[], key: string): unknown {
  for (let index = 0; index + 1 < entries.length; index += 2) {
    if (entries[index]?.value === key) return types.unwrap(entries[index + 1]);
  }
  return undefined;
}

function split(raw: Buffer): Sections {
  const reader = new types.Reader(raw);
  const none = raw.subarray(0, 0);
  const sections: Sections = {
    header: [],
    annotations: [],
    properties: [],
    propertiesBytes: none,
    applicationProperties: [],
    applicationPropertiesBytes: none,
    rest: none,
  };
  while (reader.remaining() > 0) {
    const start = reader.position;
    if (startsBody(raw, start)) {
      sections.rest = raw.subarray(start);
      break;
    }
    const part = reader.read();
    const items = part.value as readonly Typed[];
    switch (codeOf(part)) {
      case section.header:
        sections.header = items;
        break;
      case section.messageAnnotations:
        sections.annotations = items;
        break;
      case section.properties:
        sections.properties = items;
        sections.propertiesBytes = raw.subarray(start, reader.position);
        break;
      case section.applicationProperties:
        sections.applicationProperties = items;
        sections.applicationPropertiesBytes = raw.subarray(start, reader.position);
        break;
      case 0x71: // Delivery annotations are for this hop only.
        break;
      default:
        if (codeOf(part) < section.data) throw new Error(`unknown section 0x${codeOf(part).toString(16)}`);
        sections.rest = raw.subarray(start);
        return sections;
    }
  }
  return sections;
}

/** True before a data, sequence or value section, whose contents need no decoding. */
function startsBody(raw: Buffer, start: number): boolean {
  const code = raw[start + 1] === 0x53 ? (raw[start + 2] ?? 0) : 0;
  return code >= section.data && code <= 0x77;
}

function withMessageId(properties: readonly Typed[], id: string): Buffer {
  // rhea decodes every empty list into one shared array: writing into it would leak into all later messages.
  const fields = [types.wrap_string(id), ...properties.slice(1)];
  const writer = new types.Writer();
  writer.write(described(section.properties, types.List32(fields)));
  return writer.toBuffer();
}

/** Kept for long: a slice would hold a whole receive buffer, and a pooled copy a whole slab. */
function ownCopy(parts: readonly Buffer[]): Buffer {
  const copy = Buffer.allocUnsafeSlow(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) offset += part.copy(copy, offset);
  return copy;
}

function decoding<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof BrokerError) throw error;
    throw new BrokerError('amqp:decode-error', `The message cannot be decoded: ${(error as Error).message}`);
  }
}

const textOf = (id: unknown): string => (Buffer.isBuffer(id) ? id.toString('hex') : String(id));
const codeOf = (part: Typed): number => Number(part.descriptor?.value);
const described = (code: number, value: Typed): Typed => types.described_nc(types.wrap_ulong(code), value);
