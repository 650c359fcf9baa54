/** What one occurrence of something uses, of everything that is paid by use. */
export interface Usage {
  /** Of Cosmos DB, as the local stand-in estimates them. */
  readonly requestUnits: number;
  /** Function executions. */
  readonly executions: number;
  /** Messages over Service Bus, each sent, received and settled once. */
  readonly messages: number;
  /** Messages that the durable backend dispatches: steps of orchestrations, and activities. */
  readonly durableActions: number;
}

/** Measured by `npm run bench:operations` on the running system. */
export interface MeasuredOperations {
  readonly measuredAt: string;
  readonly machine: string;
  /** A session that is opened, answered and closed. */
  readonly session: Usage;
  /** A session that is open and followed, for a second, without commands. */
  readonly followedSecond: Usage;
  /** A command with a small answer. */
  readonly command: Usage & { readonly storedBytes: number };
  /** A heartbeat of one device. */
  readonly heartbeat: Usage;
  /** The system without devices or sessions, for a second: timers, and looks at the change feed. */
  readonly idleSecond: Usage;
}
