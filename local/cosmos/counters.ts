/** How often something was asked for and what it cost. */
export interface Count {
  count: number;
  requestUnits: number;
}

export interface Counters {
  add(kind: string, requestUnits: number): void;
  read(): Record<string, Count>;
  reset(): void;
}

/** Counts requests by kind since the start or the last reset, refused ones included. */
export function createCounters(): Counters {
  const counts = new Map<string, Count>();
  return {
    add(kind, requestUnits) {
      const count = counts.get(kind) ?? { count: 0, requestUnits: 0 };
      count.count += 1;
      count.requestUnits += requestUnits;
      counts.set(kind, count);
    },
    read: () =>
      Object.fromEntries(
        [...counts]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([kind, { count, requestUnits }]) => [
            kind,
            { count, requestUnits: Math.round(requestUnits * 100) / 100 },
          ]),
      ),
    reset: () => counts.clear(),
  };
}
