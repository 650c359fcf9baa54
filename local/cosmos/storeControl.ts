import { createHmac } from 'node:crypto';
import type { Counters } from './counters.ts';

/** A fault as `POST /_local/faults` takes it; see the README. */
export interface StoreFault {
  readonly kind: string;
  readonly container?: string;
  readonly times?: number;
  readonly forMs?: number;
  readonly probability?: number;
  readonly delayMs?: number;
  readonly status?: number;
  readonly substatus?: number;
  readonly retryAfterMs?: number;
  readonly cut?: 'before' | 'after';
  readonly stale?: boolean;
  readonly lag?: number;
}

/** How often a kind of request was made, and what all of them cost, as estimated. */
export type StoreCounters = ReturnType<Counters['read']>;

/** Switches faults of a running account, and reads what it counted. */
export interface StoreControl {
  /** Replaces all faults; an empty list ends them. */
  set(faults: readonly StoreFault[]): Promise<void>;
  list(): Promise<readonly (StoreFault & { readonly met: number; readonly over: boolean })[]>;
  /** Cuts every physical partition of the container in two. */
  split(database: string, container: string): Promise<void>;
  /** By kind, since the start or the last reset. */
  counters(): Promise<StoreCounters>;
  resetCounters(): Promise<void>;
}

/** The client of the addresses under `_local/`. The process must trust the account's certificate. */
export function storeControl({
  endpoint,
  masterKey,
}: {
  readonly endpoint: string;
  readonly masterKey: string;
}): StoreControl {
  const ask = async (method: string, name: string, body?: unknown): Promise<Response> => {
    const date = new Date().toUTCString().toLowerCase();
    // As with every resource: an even path ends with a name, below its type; an odd one ends with a type, below its parent.
    const segments = ['_local', ...name.split('/')];
    const [type, link] =
      segments.length % 2 === 0 ? [segments.at(-2), segments] : [segments.at(-1), segments.slice(0, -1)];
    const signature = createHmac('sha256', Buffer.from(masterKey, 'base64'))
      .update(`${method.toLowerCase()}\n${type}\n${link.join('/')}\n${date}\n\n`)
      .digest('base64');
    const response = await fetch(new URL(`_local/${name}`, endpoint), {
      method,
      headers: {
        authorization: encodeURIComponent(`type=master&ver=1.0&sig=${signature}`),
        'x-ms-date': date,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`The store refused: ${response.status} ${await response.text()}`);
    return response;
  };
  return {
    set: async (faults) => {
      await ask('POST', 'faults', faults);
    },
    list: async () =>
      (await (await ask('GET', 'faults')).json()) as Awaited<ReturnType<StoreControl['list']>>,
    split: async (database, container) => {
      await ask('POST', 'split', { database, container });
    },
    counters: async () => (await (await ask('GET', 'counters')).json()) as StoreCounters,
    resetCounters: async () => {
      await ask('POST', 'counters/reset');
    },
  };
}
