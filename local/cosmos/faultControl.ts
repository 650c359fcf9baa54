import { createHmac } from 'node:crypto';

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

/** Switches faults of a running account. */
export interface StoreControl {
  /** Replaces all faults; an empty list ends them. */
  set(faults: readonly StoreFault[]): Promise<void>;
  list(): Promise<readonly (StoreFault & { readonly met: number; readonly over: boolean })[]>;
  /** Cuts every physical partition of the container in two. */
  split(database: string, container: string): Promise<void>;
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
    // Two segments: the resource is of the type `_local`, and its own link is the whole path.
    const signature = createHmac('sha256', Buffer.from(masterKey, 'base64'))
      .update(`${method.toLowerCase()}\n_local\n_local/${name}\n${date}\n\n`)
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
  };
}
