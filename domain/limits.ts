/** Product limits. Every one can be set per tenant between its floor and its ceiling. Durations are seconds, sizes bytes. */
export interface Limits {
  /** Open sessions in the tenant at one time. */
  readonly openSessionsPerTenant: number;
  readonly openSessionsPerUser: number;
  /** A session without an open command and without accepted input ends after this long. */
  readonly idle: number;
  /** How long a device has to answer `session.open`. */
  readonly connect: number;
  readonly command: number;
  /** For `getfile`, `findfile`, `run` and `trace`. */
  readonly longCommand: number;
  /** A command that the device has not started by then is cancelled and declared lost. */
  readonly startWithin: number;
  readonly backgroundCommands: number;
  readonly collectedFile: number;
  readonly fileinfoFile: number;
  readonly libraryFile: number;
}

const gibibyte = 1024 ** 3;

export const defaultLimits: Limits = {
  openSessionsPerTenant: 25,
  openSessionsPerUser: 10,
  idle: 30 * 60,
  connect: 3 * 60,
  command: 10 * 60,
  longCommand: 30 * 60,
  startWithin: 2 * 60,
  backgroundCommands: 10,
  collectedFile: 3 * gibibyte,
  fileinfoFile: 30 * gibibyte,
  libraryFile: 250 * 1024 ** 2,
};

/** Named sets of limits; `defender-2026` is what Defender's own pages say since July 2026. */
export const limitProfiles: Readonly<Record<string, Limits>> = {
  default: defaultLimits,
  'defender-2026': { ...defaultLimits, openSessionsPerTenant: 50, openSessionsPerUser: 5 },
};

export const limitBounds: Readonly<
  Record<keyof Limits, { readonly floor: number; readonly ceiling: number }>
> = {
  openSessionsPerTenant: { floor: 1, ceiling: 200 },
  openSessionsPerUser: { floor: 1, ceiling: 100 },
  idle: { floor: 2, ceiling: 8 * 3600 },
  connect: { floor: 2, ceiling: 3600 },
  command: { floor: 1, ceiling: 3600 },
  longCommand: { floor: 1, ceiling: 4 * 3600 },
  startWithin: { floor: 2, ceiling: 600 },
  backgroundCommands: { floor: 0, ceiling: 50 },
  collectedFile: { floor: 1, ceiling: 20 * gibibyte },
  fileinfoFile: { floor: 1, ceiling: 200 * gibibyte },
  libraryFile: { floor: 1, ceiling: 2 * gibibyte },
};

export type LimitOverrides = { readonly [Name in keyof Limits]?: number };

export const effectiveLimits = (overrides: LimitOverrides): Limits => {
  const limits: Record<keyof Limits, number> = { ...defaultLimits };
  for (const name of Object.keys(limitBounds) as (keyof Limits)[]) {
    const wanted = overrides[name];
    if (wanted === undefined) continue;
    limits[name] = Math.min(limitBounds[name].ceiling, Math.max(limitBounds[name].floor, Math.trunc(wanted)));
  }
  return limits;
};

/** Not settable: they bound the size of one head item, one message or one line. */
export const fixedLimits = {
  sessionsPerDevice: 1,
  lineBytes: 10_240,
  commandsPerSession: 2_000,
  inlineOutput: 8 * 1024,
  /** A worker says it is alive this often. */
  aliveEvery: 20,
  /** Silent this long: shown as unreachable. */
  unreachableAfter: 60,
  /** Silent this long: the session is lost. */
  lostAfter: 600,
  /** After its time limit a started command may be silent this long before it is declared lost. */
  silenceGrace: 30,
  /** After a cancel for a command that was never started. */
  cancelGrace: 10,
  /** After the end of a session its open commands may report this long. */
  closingGrace: 60,
} as const;
