import { createHmac } from 'node:crypto';
import type { Cloud } from '../../local/cloud.ts';

/** Requests to Cosmos DB by kind, as the stand-in counts them and estimates their charges. */
export interface StoreCounters {
  readonly [kind: string]: { readonly count: number; readonly requestUnits: number };
}

const askStore = async (
  cloud: Cloud,
  method: 'get' | 'post',
  of: string,
  path: string,
): Promise<Response> => {
  const date = new Date().toUTCString();
  const signature = createHmac('sha256', Buffer.from(cloud.cosmos.masterKey, 'base64'))
    .update(`${method}\n${of}\n_local/counters\n${date.toLowerCase()}\n\n`)
    .digest('base64');
  const response = await fetch(`${cloud.cosmos.endpoint}/${path}`, {
    method: method.toUpperCase(),
    headers: { 'x-ms-date': date, authorization: encodeURIComponent(`type=master&ver=1.0&sig=${signature}`) },
  });
  if (!response.ok) throw new Error(`counters: ${response.status} ${await response.text()}`);
  return response;
};

export const readStoreCounters = async (cloud: Cloud): Promise<StoreCounters> =>
  (await (await askStore(cloud, 'get', '_local', '_local/counters')).json()) as StoreCounters;

export const resetStoreCounters = async (cloud: Cloud): Promise<void> => {
  await askStore(cloud, 'post', 'reset', '_local/counters/reset');
};

/** What the host has run since it started. */
export interface HostCounters {
  readonly invocations: Readonly<Record<string, { readonly succeeded: number; readonly failed: number }>>;
  readonly durable: Readonly<Record<string, number>>;
}

export const readHostCounters = async (cloud: Cloud): Promise<HostCounters> => {
  const response = await fetch(`${cloud.url}/admin/host/status`, {
    headers: { 'x-functions-key': cloud.masterKey },
  });
  return (await response.json()) as HostCounters;
};

/** Invocations of the functions whose name begins so, between two looks. */
export const invocationsBetween = (before: HostCounters, after: HostCounters, name = ''): number => {
  const total = ({ invocations }: HostCounters): number =>
    Object.entries(invocations)
      .filter(([of]) => of.startsWith(name))
      .reduce((sum, [, { succeeded, failed }]) => sum + succeeded + failed, 0);
  return total(after) - total(before);
};

export const durableBetween = (before: HostCounters, after: HostCounters, counter: string): number =>
  (after.durable[counter] ?? Number.NaN) - (before.durable[counter] ?? Number.NaN);
