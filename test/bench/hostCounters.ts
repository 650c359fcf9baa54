import type { Cloud } from '../../local/cloud.ts';

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
