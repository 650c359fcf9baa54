import { BrokerError, invalidArgument } from './brokerError.ts';

/** What can go wrong where. */
const effectsAt = {
  attach: ['throttle', 'quota', 'cutBefore'],
  send: ['throttle', 'quota', 'drop', 'duplicate', 'delay', 'reorder', 'loseAnswer', 'cutBefore', 'cutAfter'],
  deliver: ['drop', 'duplicate', 'delay'],
  settle: ['throttle', 'drop', 'loseAnswer', 'lockLost', 'cutBefore', 'cutAfter'],
  manage: ['throttle', 'drop', 'loseAnswer', 'delay', 'cutBefore', 'cutAfter'],
  administer: ['throttle', 'quota', 'delay'],
} as const;

export type FaultPoint = keyof typeof effectsAt;
export type FaultEffect<Point extends FaultPoint = FaultPoint> = (typeof effectsAt)[Point][number];

/** A fault as it is asked for. */
export interface FaultRequest {
  readonly at: FaultPoint;
  readonly do: FaultEffect;
  /** Path of the queue, topic or subscription; a `*` at its end stands for anything. Every entity unless given. */
  readonly entity?: string;
  /** At `send` only: id of the session whose messages meet it. All unless given. */
  readonly session?: string;
  /** How often; 1 unless given. */
  readonly times?: number | 'always';
  /** How many pass unharmed before. */
  readonly skip?: number;
  /** For `delay` and `reorder`, in milliseconds. */
  readonly delayMs?: number;
}

/** A fault that is switched on. */
export interface ActiveFault<Point extends FaultPoint = FaultPoint> {
  readonly at: Point;
  readonly do: FaultEffect<Point>;
  readonly entity: string;
  readonly session?: string;
  readonly delayMs: number;
  skip: number;
  times: number;
  met: number;
}

const fields = new Set(['at', 'do', 'entity', 'session', 'times', 'skip', 'delayMs']);
const defaultDelayMs = 1000;

/** The faults of one namespace that tests have switched on. They live in memory only. */
export class Faults {
  #active: ActiveFault[] = [];

  /** Replaces all faults. Throws BrokerError when one is not understood. */
  set(given: unknown): void {
    if (!Array.isArray(given)) throw invalidArgument('Faults are a list of { at, do, entity?, times?, … }.');
    this.#active = given.map(readFault);
  }

  /** What is switched on, with how often it was met. */
  list(): readonly object[] {
    return this.#active.map(({ times, ...fault }) => ({
      ...fault,
      times: times === Number.POSITIVE_INFINITY ? 'always' : times,
    }));
  }

  /** Takes one use of the first fault for this place. @param session of the message that is sent. */
  meet<Point extends FaultPoint>(at: Point, path: string, session?: string): ActiveFault<Point> | undefined {
    const entity = path.toLowerCase().replace(/\/\$management$/, '');
    for (const fault of this.#active) {
      if (fault.at !== at || fault.times === 0 || !matches(fault.entity, entity)) continue;
      if (fault.session !== undefined && fault.session !== session) continue;
      if (fault.skip > 0) {
        fault.skip -= 1;
        continue;
      }
      fault.times -= 1;
      fault.met += 1;
      return fault as ActiveFault<Point>;
    }
    return undefined;
  }
}

/** Throws the refusal that the fault stands for, if it is one. */
export function refuseIfAsked(fault: ActiveFault | undefined): void {
  if (fault?.do === 'throttle') {
    throw new BrokerError(
      'com.microsoft:server-busy',
      'The request was terminated because the namespace is being throttled. Wait 10 seconds and try again.',
    );
  }
  if (fault?.do === 'quota') {
    throw new BrokerError(
      'amqp:resource-limit-exceeded',
      'The maximum entity size has been reached or exceeded. Receive messages or raise the quota.',
    );
  }
}

function matches(pattern: string, entity: string): boolean {
  return pattern.endsWith('*') ? entity.startsWith(pattern.slice(0, -1)) : pattern === entity;
}

function readFault(given: unknown): ActiveFault {
  if (typeof given !== 'object' || given === null) throw invalidArgument('A fault is an object.');
  const unknown = Object.keys(given).find((name) => !fields.has(name));
  if (unknown !== undefined) throw invalidArgument(`A fault has no property '${unknown}'.`);
  const {
    at,
    do: effect,
    entity = '*',
    session,
    times = 1,
    skip = 0,
    delayMs = defaultDelayMs,
  } = given as FaultRequest;
  if (!Object.hasOwn(effectsAt, at)) {
    throw invalidArgument(
      `A fault is at one of ${Object.keys(effectsAt).join(', ')}, not at '${String(at)}'.`,
    );
  }
  const effects: readonly FaultEffect[] = effectsAt[at];
  if (!effects.includes(effect)) {
    throw invalidArgument(`At ${at} a fault does one of ${effects.join(', ')}, not '${String(effect)}'.`);
  }
  const isCount = (value: unknown) => Number.isInteger(value) && Number(value) >= 0;
  if (typeof entity !== 'string')
    throw invalidArgument('entity is the path of a queue, topic or subscription.');
  if (session !== undefined && (at !== 'send' || typeof session !== 'string')) {
    throw invalidArgument('session is the id of a session, and only a fault at send can be kept to one.');
  }
  if (times !== 'always' && !isCount(times)) throw invalidArgument("times is a whole number or 'always'.");
  if (!isCount(skip)) throw invalidArgument('skip is a whole number.');
  if (!isCount(delayMs)) throw invalidArgument('delayMs is a whole number of milliseconds.');
  return {
    at,
    do: effect,
    entity: entity.toLowerCase(),
    ...(session === undefined ? {} : { session }),
    delayMs,
    skip,
    times: times === 'always' ? Number.POSITIVE_INFINITY : times,
    met: 0,
  };
}
