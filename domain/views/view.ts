import type { EventEnvelope } from '../envelope.ts';

/** A projection: a pure fold from events to rows. Change one by a new name, filled beside the old one. */
export interface View<Row> {
  /** Stored: part of the partition of its rows. */
  readonly name: string;
  readonly concerns: (streamId: string) => boolean;
  /** The row that an event is about, none when it is about no row. */
  readonly keyOf: (envelope: EventEnvelope) => string | undefined;
  readonly apply: (row: Row | undefined, envelope: EventEnvelope) => Row;
  /** Rows of one partition are queried together. */
  readonly partition: (tenantId: string, streamId: string) => string;
  /** Text by which the rows of a partition are listed, newest last. */
  readonly sortKey: (row: Row) => string;
}
