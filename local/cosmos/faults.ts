import { badRequest, CosmosError } from './errors.ts';
import { type Fault, readFault } from './faultDescription.ts';
import type { Json, JsonObject } from './json.ts';

/** A request as far as faults choose by it. */
export interface Occasion {
  readonly kind: string;
  readonly container: string;
}

export interface Faults {
  /** Replaces all faults. Throws 400 when one is not understood. */
  set(faults: Json): void;
  /** Every fault as it was given, how often it was met, and whether it is over. */
  list(): JsonObject[];
  /** Takes one use of the first fault for this request. Throws the status it asks for. */
  meet(occasion: Occasion): Promise<'before' | 'after' | undefined>;
  /** How many transactions a read that may be stale is to lack, if any. Takes one use. */
  meetStale(occasion: Occasion): number | undefined;
}

interface ActiveFault extends Fault {
  met: number;
  /** On the monotonic clock; a changed wall clock must not end a fault. */
  readonly endsAt: number;
}

/** `kinds` = the kinds of request there are; a misspelt one would never be met. */
export function createFaults(kinds: ReadonlySet<string>): Faults {
  let faults: ActiveFault[] = [];
  const isOver = (fault: ActiveFault) => fault.met >= fault.times || performance.now() >= fault.endsAt;
  const take = ({ kind, container }: Occasion, stale: boolean) => {
    const fault = faults.find(
      (one) =>
        one.stale === stale &&
        !isOver(one) &&
        (one.kind === '*' || one.kind === kind) &&
        (one.container === undefined || one.container === container) &&
        (one.probability === 1 || Math.random() < one.probability),
    );
    if (fault !== undefined) fault.met += 1;
    return fault;
  };
  return {
    set(given) {
      if (!Array.isArray(given)) throw badRequest('Faults are a list of { kind, times, … }.');
      faults = given.map((one) => {
        const fault = readFault(one, kinds);
        return { ...fault, met: 0, endsAt: performance.now() + fault.forMs };
      });
    },
    list: () => faults.map((one) => ({ ...one.given, met: one.met, over: isOver(one) })),
    async meet(occasion) {
      const fault = take(occasion, false);
      if (fault === undefined) return undefined;
      if (fault.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
      if (fault.status === undefined) return fault.cut;
      throw new CosmosError(
        fault.status,
        'InjectedFault',
        'A fault that was asked for.',
        fault.substatus,
        fault.retryAfterMs === undefined ? {} : { 'x-ms-retry-after-ms': String(fault.retryAfterMs) },
      );
    },
    meetStale: (occasion) => take(occasion, true)?.lag,
  };
}
