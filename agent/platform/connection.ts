import type { Text } from '../../contracts/device.ts';
import type { ConnectionState } from '../../domain/catalogue/connectionStates.ts';

export interface Holder {
  readonly pid: number;
  readonly name: string | Text;
}

/** One endpoint, as every system can tell it. What a system does not tell is null. */
export interface Connection {
  readonly protocol: string;
  readonly localAddress: string;
  /** Null for a protocol without ports. */
  readonly localPort: number | null;
  /** Null while there is no other side. */
  readonly remoteAddress: string | null;
  readonly remotePort: number | null;
  /** A state of TCP, or `established` for UDP with a fixed other side. */
  readonly state: ConnectionState | null;
  /** A socket may be held by several processes; by none that can be seen when it is closing or belongs to the kernel. */
  readonly holders: readonly Holder[];
  readonly user: string | null;
  readonly inode: number | null;
  /** The network namespace, where it is another one than the agent's. */
  readonly namespace: string | null;
}

/** What could not be looked at: a list without it would pass for complete. */
export interface ConnectionGap {
  readonly gap: string;
}

export type ConnectionSource = () =>
  Iterable<Connection | ConnectionGap> | AsyncIterable<Connection | ConnectionGap>;
