import { badRequest, CosmosError } from './errors.ts';
import type { Json } from './json.ts';
import { isJsonObject } from './json.ts';

/** Something that goes wrong with the next `times` requests of a kind. */
interface Fault {
  readonly kind: string;
  times: number;
  /** Milliseconds before anything else happens. */
  readonly delayMs: number;
  /** Cuts the connection: before the work, or after it so that the outcome stays unknown to the client. */
  readonly cut: 'before' | 'after' | undefined;
  /** A replica answers that lacks the last write. Weak point reads only; others never meet it. */
  readonly stale: boolean;
  readonly status: number | undefined;
  readonly substatus: number | undefined;
  readonly retryAfterMs: number | undefined;
}

export interface Faults {
  /** Replaces all faults. Throws 400 when one is not understood. */
  set(faults: Json): void;
  /** Takes one use of the first fault for this kind. Throws the status it asks for. */
  meet(kind: string): Promise<'before' | 'after' | undefined>;
  /** Whether a point read that may be stale is to be. Takes one use. */
  meetStale(): boolean;
}

const known = new Set(['kind', 'times', 'delayMs', 'cut', 'stale', 'status', 'substatus', 'retryAfterMs']);

/** `kinds` = the kinds of request there are; a misspelt one would never be met. */
export function createFaults(kinds: ReadonlySet<string>): Faults {
  let faults: Fault[] = [];
  const take = (kind: string, stale: boolean) => {
    const fault = faults.find((one) => one.times > 0 && one.kind === kind && one.stale === stale);
    if (fault !== undefined) fault.times -= 1;
    return fault;
  };
  return {
    set(given) {
      if (!Array.isArray(given)) throw badRequest('Faults are a list of { kind, times, … }.');
      faults = given.map((fault) => readFault(fault, kinds));
    },
    async meet(kind) {
      const fault = take(kind, false);
      if (fault === undefined) return undefined;
      if (fault.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
      if (fault.status !== undefined) {
        const retry: Record<string, string> =
          fault.retryAfterMs === undefined ? {} : { 'x-ms-retry-after-ms': String(fault.retryAfterMs) };
        throw new CosmosError(
          fault.status,
          'InjectedFault',
          'A fault that was asked for.',
          fault.substatus,
          retry,
        );
      }
      return fault.cut;
    },
    meetStale: () => take('readItem', true) !== undefined,
  };
}

function readFault(given: Json, kinds: ReadonlySet<string>): Fault {
  if (!isJsonObject(given) || typeof given.kind !== 'string' || !kinds.has(given.kind)) {
    throw badRequest(`A fault needs the kind of request, one of ${[...kinds].join(', ')}.`);
  }
  const unknown = Object.keys(given).find((name) => !known.has(name));
  if (unknown !== undefined) throw badRequest(`A fault has no property '${unknown}'.`);
  const number = (name: string) => (typeof given[name] === 'number' ? given[name] : undefined);
  const { cut } = given;
  if (cut !== undefined && cut !== 'before' && cut !== 'after')
    throw badRequest("cut is 'before' or 'after'.");
  const stale = given.stale === true;
  if (stale && given.kind !== 'readItem') throw badRequest('Only readItem can be stale.');
  return {
    kind: given.kind,
    stale,
    times: number('times') ?? 1,
    delayMs: number('delayMs') ?? 0,
    cut,
    status: number('status'),
    substatus: number('substatus'),
    retryAfterMs: number('retryAfterMs'),
  };
}
