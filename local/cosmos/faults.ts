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
  readonly status: number | undefined;
  readonly substatus: number | undefined;
  readonly retryAfterMs: number | undefined;
}

export interface Faults {
  /** Replaces all faults. Throws 400 when one is not understood. */
  set(faults: Json): void;
  /** Takes one use of the first fault for this kind. Throws the status it asks for. */
  meet(kind: string): Promise<'before' | 'after' | undefined>;
}

const known = new Set(['kind', 'times', 'delayMs', 'cut', 'status', 'substatus', 'retryAfterMs']);

export function createFaults(): Faults {
  let faults: Fault[] = [];
  return {
    set(given) {
      if (!Array.isArray(given)) throw badRequest('Faults are a list of { kind, times, … }.');
      faults = given.map(readFault);
    },
    async meet(kind) {
      const fault = faults.find((one) => one.times > 0 && one.kind === kind);
      if (fault === undefined) return undefined;
      fault.times -= 1;
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
  };
}

function readFault(given: Json): Fault {
  if (!isJsonObject(given) || typeof given.kind !== 'string')
    throw badRequest('A fault needs the kind of request.');
  const unknown = Object.keys(given).find((name) => !known.has(name));
  if (unknown !== undefined) throw badRequest(`A fault has no property '${unknown}'.`);
  const number = (name: string) => (typeof given[name] === 'number' ? given[name] : undefined);
  const { cut } = given;
  if (cut !== undefined && cut !== 'before' && cut !== 'after')
    throw badRequest("cut is 'before' or 'after'.");
  return {
    kind: given.kind,
    times: number('times') ?? 1,
    delayMs: number('delayMs') ?? 0,
    cut,
    status: number('status'),
    substatus: number('substatus'),
    retryAfterMs: number('retryAfterMs'),
  };
}
