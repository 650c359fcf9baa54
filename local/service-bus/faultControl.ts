import type { ActiveFault, FaultRequest } from './faults.ts';
import { sharedAccessSignature } from './tokens/sas.ts';

const tokenSeconds = 300;

/** Switches faults of a running broker. */
export interface FaultControl {
  /** Replaces all faults of the namespace; an empty list ends them. */
  set(faults: readonly FaultRequest[]): Promise<void>;
  /** What is switched on; `times` is what is left, `met` how often it has struck. */
  list(): Promise<readonly (Omit<ActiveFault, 'times'> & { readonly times: number | 'always' })[]>;
}

/**
 * The client of `/_local/faults`.
 * @param host `localhost:PORT` of the namespace. @param rule one of its own rules that has the right Manage.
 */
export function faultControl(
  host: string,
  rule: { readonly name: string; readonly key: string },
): FaultControl {
  const ask = async (method: string, body?: unknown): Promise<Response> => {
    const response = await fetch(`https://${host}/_local/faults`, {
      method,
      headers: { authorization: sharedAccessSignature(`https://${host}/`, rule, tokenSeconds) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`The broker refused the faults: ${await response.text()}`);
    return response;
  };
  return {
    set: async (faults) => {
      await ask('POST', faults);
    },
    list: async () => (await (await ask('GET')).json()) as Awaited<ReturnType<FaultControl['list']>>,
  };
}
