import { compareValues, type Value } from './compare.ts';
import type { AggregateName } from './syntax.ts';

const defined = (values: readonly Value[]) => values.filter((value) => value !== undefined);

const extreme =
  (direction: 1 | -1) =>
  (values: readonly Value[]): Value => {
    let best: Value;
    for (const value of defined(values)) {
      // Lists and objects have no order, so there is no smallest or largest among them.
      if (typeof value === 'object' && value !== null) return undefined;
      if (best === undefined || compareValues(value, best) * direction < 0) best = value;
    }
    return best;
  };

/** Gives undefined as soon as one value is no number. */
function sum(values: readonly Value[]): number | undefined {
  let total = 0;
  for (const value of defined(values)) {
    if (typeof value !== 'number') return undefined;
    total += value;
  }
  return total;
}

/** Absent values count for nothing in all of these. */
export const aggregateFunctions: Readonly<Record<AggregateName, (values: readonly Value[]) => Value>> = {
  COUNT: (values) => defined(values).length,
  SUM: sum,
  AVG: (values) => {
    const total = sum(values);
    const count = defined(values).length;
    return total === undefined || count === 0 ? undefined : total / count;
  },
  MIN: extreme(1),
  MAX: extreme(-1),
};
