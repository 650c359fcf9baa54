import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { HostConfig } from '../config.ts';
import type { HistoryEvent } from '../durable/history.ts';
import type { StartedHost } from './startHost.ts';
import { eventually, keys, startHost, untilFileEnds } from './startHost.ts';

export const HUB = 'TestHub';

export interface Status {
  name: string;
  instanceId: string;
  runtimeStatus: string;
  input: unknown;
  output: unknown;
  customStatus: unknown;
  historyEvents?: Record<string, unknown>[];
}

/** A host with the durable fixture, and what the tests do with it. */
export class DurableClient {
  readonly host: StartedHost;
  constructor(host: StartedHost) {
    this.host = host;
  }

  static async start(config: Partial<HostConfig> = {}): Promise<DurableClient> {
    const settings = { HUB, ...config.settings };
    return new DurableClient(await startHost('durable', { ...config, settings }));
  }

  /** One host for all tests of a file; in `beforeAll`. */
  static shared(config: Partial<HostConfig> = {}): Promise<DurableClient> {
    return untilFileEnds(() => DurableClient.start(config));
  }

  /** Starts an instance through the app's own starter, so through the real client library. */
  async begin(name: string, input?: unknown, id?: string): Promise<string> {
    const body = input === undefined ? {} : { body: JSON.stringify(input) };
    const response = await this.host.get(`/api/start/${name}${id === undefined ? '' : `/${id}`}`, {
      method: 'POST',
      ...body,
    });
    if (response.status !== 202) throw new Error(`${response.status} ${await response.text()}`);
    return ((await response.json()) as { id: string }).id;
  }

  /** The status once it has the given runtime status. */
  reaches(id: string, runtimeStatus: string): Promise<Status> {
    return eventually(async () => {
      const status = await this.status(id);
      return status?.runtimeStatus === runtimeStatus ? status : undefined;
    });
  }

  call(operation: string, id: string, query = ''): Promise<Response> {
    return this.host.get(`/api/client/${operation}/${id}${query}`, { method: 'POST' });
  }

  raise(id: string, name: string, data: unknown): Promise<Response> {
    return this.call('raise', id, `?name=${name}&data=${encodeURIComponent(JSON.stringify(data))}`);
  }

  async api(method: string, target: string, init: RequestInit = {}): Promise<Response> {
    return this.host.get(`/runtime/webhooks/durabletask/${target}`, {
      method,
      ...init,
      headers: { 'x-functions-key': keys.systemKey, ...init.headers },
    });
  }

  async status(id: string, query = ''): Promise<Status | undefined> {
    const response = await this.api('GET', `instances/${id}${query}`);
    return response.status === 404 ? undefined : ((await response.json()) as Status);
  }

  /** The status once the instance has ended. */
  ended(id: string, withinMs = 15_000): Promise<Status> {
    return eventually(async () => {
      const status = await this.status(id);
      return status !== undefined && !['Pending', 'Running', 'Suspended'].includes(status.runtimeStatus)
        ? status
        : undefined;
    }, withinMs);
  }

  async run(name: string, input?: unknown): Promise<Status> {
    return this.ended(await this.begin(name, input));
  }

  waiting(id: string): Promise<Status> {
    return eventually(async () => {
      const status = await this.status(id);
      return status?.customStatus === null ? undefined : status;
    });
  }

  /** The stored history, as the host keeps it. */
  history(id: string): HistoryEvent[] {
    return historyIn(this.host.dataDir, id);
  }
}

export function historyIn(dataDir: string, id: string): HistoryEvent[] {
  const database = new DatabaseSync(path.join(dataDir, `${HUB}.sqlite`), { readOnly: true });
  try {
    const rows = database.prepare('SELECT event FROM history WHERE id = ? ORDER BY sequence').all(id);
    return rows.map(({ event }) => JSON.parse(String(event)) as HistoryEvent);
  } finally {
    database.close();
  }
}
