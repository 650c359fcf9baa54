import { badRequest } from './errors.ts';
import type { Json, JsonObject } from './json.ts';
import { isJsonObject } from './json.ts';

/** Something that goes wrong with requests of a kind, for a number of times or for a time. */
export interface Fault {
  /** A kind of request, or `*` for every one that is not under `_local/`. */
  readonly kind: string;
  /** Only requests to this container; any unless given. */
  readonly container: string | undefined;
  readonly times: number;
  readonly forMs: number;
  /** Of each request to meet it, from above 0 to 1. */
  readonly probability: number;
  /** Milliseconds before anything else happens. */
  readonly delayMs: number;
  /** Cuts the connection: before the work, or after it so that the outcome stays unknown to the client. */
  readonly cut: 'before' | 'after' | undefined;
  /** A replica answers that lacks the last writes. Weak reads only; others never meet it. */
  readonly stale: boolean;
  /** How many of the container's last transactions it lacks; a point read lacks the item's last write. */
  readonly lag: number;
  readonly status: number | undefined;
  readonly substatus: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** What was asked for, to be shown again. */
  readonly given: JsonObject;
}

const known = new Set([
  ...['kind', 'container', 'times', 'forMs', 'probability', 'delayMs', 'cut', 'stale', 'lag'],
  ...['status', 'substatus', 'retryAfterMs'],
]);

const staleKinds = new Set(['readItem', 'query', 'listItems', 'changeFeed']);

/** The substatus that the service sends with a status, where the SDK acts on it. */
const usualSubstatus: Readonly<Record<number, number>> = { 410: 1002, 429: 3200 };

/** Throws 400 with the reason when the fault is not understood. */
export function readFault(given: Json, kinds: ReadonlySet<string>): Fault {
  if (
    !isJsonObject(given) ||
    typeof given.kind !== 'string' ||
    !(given.kind === '*' || kinds.has(given.kind))
  ) {
    throw badRequest(`A fault needs the kind of request: * or one of ${[...kinds].join(', ')}.`);
  }
  const unknown = Object.keys(given).find((name) => !known.has(name));
  if (unknown !== undefined) throw badRequest(`A fault has no property '${unknown}'.`);
  const { cut, container } = given;
  if (cut !== undefined && cut !== 'before' && cut !== 'after')
    throw badRequest("cut is 'before' or 'after'.");
  if (container !== undefined && typeof container !== 'string') throw badRequest('container is an id.');
  const stale = given.stale === true;
  if (stale && !staleKinds.has(given.kind)) {
    throw badRequest(`Only ${[...staleKinds].join(', ')} can be stale.`);
  }
  const number = (name: string, min: number, max: number) => numberOf(given, name, min, max);
  const forMs = number('forMs', 1, Number.MAX_SAFE_INTEGER);
  const status = number('status', 400, 599);
  return {
    kind: given.kind,
    container,
    // What goes on for a time is met by every request in it.
    times:
      number('times', 1, Number.MAX_SAFE_INTEGER) ?? (forMs === undefined ? 1 : Number.POSITIVE_INFINITY),
    forMs: forMs ?? Number.POSITIVE_INFINITY,
    probability: number('probability', Number.MIN_VALUE, 1) ?? 1,
    delayMs: number('delayMs', 0, Number.MAX_SAFE_INTEGER) ?? 0,
    cut,
    stale,
    lag: number('lag', 1, Number.MAX_SAFE_INTEGER) ?? 1,
    status,
    substatus:
      number('substatus', 0, Number.MAX_SAFE_INTEGER) ??
      (status === undefined ? undefined : usualSubstatus[status]),
    retryAfterMs: number('retryAfterMs', 0, Number.MAX_SAFE_INTEGER),
    given,
  };
}

function numberOf(given: JsonObject, name: string, min: number, max: number): number | undefined {
  const value = given[name];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw badRequest(`${name} is a number from ${min} to ${max}.`);
}
