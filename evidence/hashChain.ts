import {
  type DomainEvent,
  type EventEnvelope,
  type EventMetadata,
  eventIdOf,
  partitionOf,
} from '../domain/envelope.ts';
import { canonicalForm, sha256 } from './canonical.ts';

/** What version 1 of a stream chains to. */
export const streamSeed = (streamId: string): string => sha256(streamId);

/** Hash over everything in the envelope but the hash itself. */
export const hashOf = (envelope: Omit<EventEnvelope, 'hash'>): string => sha256(canonicalForm(envelope));

/** Puts events into their envelopes, in order, after `previous`. */
export const sealEvents = (
  tenantId: string,
  streamId: string,
  previous: { readonly version: number; readonly hash: string },
  events: readonly (DomainEvent & { readonly schemaVersion?: number })[],
  metadata: EventMetadata,
): readonly EventEnvelope[] => {
  let { version, hash: previousHash } = previous;
  return events.map((event) => {
    version += 1;
    const unsealed = {
      id: eventIdOf(version),
      pk: partitionOf(tenantId, streamId),
      tenantId,
      streamId,
      version,
      type: event.type,
      schemaVersion: event.schemaVersion ?? 1,
      data: event.data,
      metadata,
      previousHash,
    };
    const hash = hashOf(unsealed);
    previousHash = hash;
    return { ...unsealed, hash };
  });
};

/** One broken link: at which version, and what is wrong with it. */
export interface ChainFault {
  readonly version: number;
  readonly fault: string;
}

/** Checks numbers, links, hashes and times of a whole stream (from version 1). An empty answer means that nothing was changed. */
export const chainFaults = (streamId: string, envelopes: readonly EventEnvelope[]): readonly ChainFault[] => {
  const faults: ChainFault[] = [];
  let previousHash = streamSeed(streamId);
  let recordedAt = '';
  envelopes.forEach((envelope, index) => {
    const version = index + 1;
    const note = (fault: string): void => void faults.push({ version, fault });
    if (envelope.streamId !== streamId) note(`belongs to stream ${envelope.streamId}`);
    if (envelope.version !== version || envelope.id !== eventIdOf(version))
      note(`has version ${envelope.version} in the place of ${version}`);
    if (envelope.previousHash !== previousHash) note('does not follow the event before it');
    const { hash, ...unsealed } = envelope;
    if (hashOf(unsealed) !== hash) note('was changed after it was recorded');
    if (envelope.metadata.recordedAt < recordedAt) note('was recorded before the event before it');
    previousHash = envelope.hash;
    recordedAt = envelope.metadata.recordedAt;
  });
  return faults;
};
