/** Chance that a seed repeats: the same seed gives the same run again. */
export interface SeededChance {
  /** From 0 up to 1. */
  next(): number;
  /** A whole number below `limit`. */
  below(limit: number): number;
  oneOf<Value>(values: readonly [Value, ...Value[]]): Value;
}

/** mulberry32: small, and good enough to pick moments. */
export const seededChance = (seed: number): SeededChance => {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    next,
    below,
    oneOf: (values) => values[below(values.length)] ?? values[0],
  };
};
