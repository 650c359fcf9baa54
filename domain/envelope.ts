/** What every event looks like before it gets its envelope. */
export interface DomainEvent {
  readonly type: string;
  readonly data: object;
}

/** Who caused an event: a signed-in user, a client application, a device, or the system itself. */
export interface Actor {
  readonly kind: 'user' | 'application' | 'device' | 'system';
  readonly id: string;
  readonly name: string;
}

/** Where a device message stands in its device's own evidence. Its body is in the `data.device` of the first event made from it. */
export interface DeviceEvidence {
  readonly kid: string;
  /** Random id of one agent start. */
  readonly run: string;
  /** 1-based position among the messages of this device in this session; goes on over restarts of the agent. */
  readonly sequence: number;
  readonly previousRun: string | null;
  readonly previousLast: number;
  /** Ed25519, base64url, over the RFC 8785 form of `{tenantId, deviceId, sessionId, commandId, run, sequence, …, kind, body}`. */
  readonly signature: string;
}

export interface EventMetadata {
  readonly actor: Actor;
  readonly correlationId: string;
  readonly causationId: string;
  readonly traceparent: string | null;
  /** UTC ISO 8601, milliseconds; never before that of the version before. */
  readonly recordedAt: string;
  readonly device?: DeviceEvidence;
}

/**
 * An event as it is stored. Field names and the rules of `hash` are stored data: never change them.
 * `hash` is the SHA-256 (hex) over the RFC 8785 form of all other fields; version 1 chains to the hash of the stream's name.
 */
export interface EventEnvelope<Event extends DomainEvent = DomainEvent> {
  /** The version, zero-padded to 10 digits: a duplicate cannot be written. */
  readonly id: string;
  /** `{tenantId}|{streamId}`: the logical partition. */
  readonly pk: string;
  readonly tenantId: string;
  readonly streamId: string;
  readonly version: number;
  readonly type: Event['type'];
  readonly schemaVersion: number;
  readonly data: Event['data'];
  readonly metadata: EventMetadata;
  readonly previousHash: string;
  readonly hash: string;
}

export const partitionOf = (tenantId: string, streamId: string): string => `${tenantId}|${streamId}`;
export const eventIdOf = (version: number): string => String(version).padStart(10, '0');
