import { setTimeout as delay } from 'node:timers/promises';
import type { DurableEngine } from './engine.ts';
import type { ApiAnswer, ApiRequest } from './apiMessages.ts';
import { condensed } from './condensedHistory.ts';
import { EntityApi } from './entityApi.ts';
import { isTerminal } from './history.ts';
import { date, jsonText, page, parsed } from './requestValues.ts';
import { DurableRefusal } from './refusal.ts';
import type { Instance } from './store.ts';

/** Path prefixes of the two doors: the public webhook (system key) and the loopback one (no key). */
export const WEBHOOK_PATH = '/runtime/webhooks/durabletask';
export const RPC_PATH = '/durabletask';

export interface ApiOptions {
  engine: DurableEngine;
  hubName: string;
  /** Origin of the public door, such as `https://localhost:7071`. */
  origin: string;
  /** Origin of the loopback door. */
  rpcOrigin: string;
  systemKey: string;
}

const WAIT_STEP_MS = 25;

/** The HTTP API that the client of `durable-functions` talks to. */
export class ManagementApi {
  readonly #options: ApiOptions;
  readonly #entities: EntityApi;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#entities = new EntityApi(options.engine);
  }

  /** JSON text of the durableClient input binding. */
  clientBinding(): string {
    const { hubName, origin, rpcOrigin, systemKey } = this.#options;
    const webhook = `${origin}${WEBHOOK_PATH}`;
    const create = `${webhook}/orchestrators/{functionName}[/{instanceId}]`;
    const code = `code=${systemKey}`;
    return JSON.stringify({
      taskHubName: hubName,
      creationUrls: {
        createNewInstancePostUri: `${create}?${code}`,
        createAndWaitOnNewInstancePostUri: `${create}?timeout={timeoutInSeconds}&pollingInterval={intervalInSeconds}&${code}`,
      },
      managementUrls: this.#links('INSTANCEID'),
      baseUrl: webhook,
      requiredQueryStringParameters: code,
      rpcBaseUrl: `${rpcOrigin}${RPC_PATH}/`,
    });
  }

  async answer(request: ApiRequest): Promise<ApiAnswer> {
    try {
      return await this.#route(request);
    } catch (error) {
      if (error instanceof DurableRefusal) return { status: error.status, body: { Message: error.message } };
      throw error;
    }
  }

  async #route(request: ApiRequest): Promise<ApiAnswer> {
    const [area, first, second, third, ...rest] = segments(request.path);
    if (rest.length > 0) return { status: 404 };
    if (area === 'orchestrators' && first !== undefined && request.method === 'POST') {
      return this.#start(request, first, second);
    }
    if (area === 'entities') return this.#entities.answer(request, first, second, third);
    if (area !== 'instances') return { status: 404 };
    if (first === undefined) return this.#collection(request);
    return this.#instance(request, first, second, third);
  }

  async #start(request: ApiRequest, name: string, wantedId: string | undefined): Promise<ApiAnswer> {
    const input = request.body.length === 0 ? null : jsonText(request.body);
    const version = request.query.get('version') ?? undefined;
    const id = this.#options.engine.create(name, wantedId, input === 'null' ? null : input, version);
    const seconds = Number(request.query.get('timeout') ?? Number.NaN);
    if (seconds > 0) {
      const ended = await this.#waitForEnd(id, seconds);
      if (ended !== undefined) {
        return ended.status === 'Completed'
          ? { status: 200, body: parsed(ended.output) }
          : { status: 200, body: statusOf(ended, request.query) };
      }
    }
    return this.#accepted(id);
  }

  async #waitForEnd(id: string, seconds: number): Promise<Instance | undefined> {
    for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; await delay(WAIT_STEP_MS)) {
      const instance = this.#options.engine.store.instance(id);
      if (instance !== undefined && isTerminal(instance.status)) return instance;
    }
    return undefined;
  }

  #accepted(id: string): ApiAnswer {
    const links = this.#links(id);
    return {
      status: 202,
      body: links,
      headers: { location: links.statusQueryGetUri ?? '', 'retry-after': '10' },
    };
  }

  #collection({ method, query }: ApiRequest): ApiAnswer {
    const filter = {
      createdFrom: date(query, 'createdTimeFrom'),
      createdTo: date(query, 'createdTimeTo'),
      statuses: query
        .getAll('runtimeStatus')
        .flatMap((list) => list.split(','))
        .filter((status) => status !== ''),
      idPrefix: query.get('instanceIdPrefix') ?? undefined,
    };
    const { store } = this.#options.engine;
    if (method === 'DELETE') {
      if (filter.createdFrom === undefined) {
        throw new DurableRefusal(400, "Please provide value for 'createdTimeFrom' parameter.");
      }
      const ids = store
        .instances(filter)
        .filter(({ status }) => isTerminal(status))
        .map(({ id }) => id);
      this.#options.engine.purge(ids);
      return ids.length === 0 ? { status: 404 } : { status: 200, body: { instancesDeleted: ids.length } };
    }
    if (method !== 'GET') return { status: 404 };
    const { limit, offset } = page(query);
    const found = store.instances({ ...filter, limit: limit + 1, offset });
    const showInput = query.get('showInput') ?? 'false';
    const shown = new URLSearchParams({ showInput });
    return {
      status: 200,
      body: found.slice(0, limit).map((instance) => statusOf(instance, shown)),
      ...(found.length > limit && { headers: { 'x-ms-continuation-token': String(offset + limit) } }),
    };
  }

  #instance(
    request: ApiRequest,
    id: string,
    operation: string | undefined,
    argument: string | undefined,
  ): ApiAnswer {
    const { engine } = this.#options;
    const instance = engine.store.instance(id);
    if (instance === undefined) return { status: 404 };
    if (operation === undefined && request.method === 'GET') return this.#status(instance, request.query);
    if (operation === undefined && request.method === 'DELETE') {
      engine.purge([id]);
      return { status: 200, body: { instancesDeleted: 1 } };
    }
    if (request.method !== 'POST') return { status: 404 };
    const reason = request.query.get('reason');
    switch (operation?.toLowerCase()) {
      case 'raiseevent': {
        if (argument === undefined) return { status: 404 };
        if (isTerminal(instance.status)) return { status: 410 };
        if (request.contentType !== 'application/json') {
          throw new DurableRefusal(400, 'Only application/json request content is supported.');
        }
        engine.raise(id, argument, jsonText(request.body));
        return { status: 202 };
      }
      case 'terminate':
      case 'suspend':
      case 'resume':
        if (isTerminal(instance.status)) return { status: 410 };
        engine.control(id, operation.toLowerCase() as 'terminate' | 'suspend' | 'resume', reason);
        return { status: 202 };
      case 'rewind':
        return rewindRefused(instance);
      case 'restart': {
        const withNewId = request.query.get('restartWithNewInstanceId')?.toLowerCase() !== 'false';
        return this.#accepted(
          engine.create(instance.name, withNewId ? undefined : id, instance.input, instance.version),
        );
      }
      default:
        return { status: 404 };
    }
  }

  #status(instance: Instance, query: URLSearchParams): ApiAnswer {
    const body = statusOf(instance, query);
    if (query.get('showHistory') === 'true') {
      body.historyEvents = condensed(
        this.#options.engine.store.history(instance.id),
        query.get('showHistoryOutput') === 'true',
      );
    }
    if (!isTerminal(instance.status)) {
      return {
        status: 202,
        body,
        headers: { location: this.#links(instance.id).statusQueryGetUri ?? '', 'retry-after': '5' },
      };
    }
    const asked = query.get('returnInternalServerErrorOnFailure') === 'true';
    return { status: instance.status === 'Failed' && asked ? 500 : 200, body };
  }

  #links(id: string): Record<string, string> {
    const { hubName, origin, systemKey } = this.#options;
    const query = `taskHub=${hubName}&connection=Storage&code=${systemKey}`;
    const base = `${origin}${WEBHOOK_PATH}/instances/${encodeURIComponent(id)}`;
    return {
      id,
      statusQueryGetUri: `${base}?${query}`,
      sendEventPostUri: `${base}/raiseEvent/{eventName}?${query}`,
      terminatePostUri: `${base}/terminate?reason={text}&${query}`,
      rewindPostUri: `${base}/rewind?reason={text}&${query}`,
      purgeHistoryDeleteUri: `${base}?${query}`,
      restartPostUri: `${base}/restart?${query}`,
      suspendPostUri: `${base}/suspend?reason={text}&${query}`,
      resumePostUri: `${base}/resume?reason={text}&${query}`,
    };
  }
}

/** The client library knows these status codes and makes the whole body, a text, its error. */
const rewindRefused = ({ id, status }: Instance): ApiAnswer =>
  status === 'Failed'
    ? {
        status: 501,
        body: `The operation 'rewind' is not supported by the local Functions host. Restart instance '${id}' instead.`,
      }
    : { status: 412, body: `Only failed instances can be rewound; '${id}' is ${status}.` };

function segments(path: string): string[] {
  try {
    return path
      .split('/')
      .filter((part) => part !== '')
      .map(decodeURIComponent);
  } catch {
    throw new DurableRefusal(400, 'The path is not valid percent-encoding.');
  }
}

const toSeconds = (iso: string): string => `${iso.slice(0, 19)}Z`;

function statusOf(instance: Instance, query: URLSearchParams): Record<string, unknown> {
  const isText = instance.status === 'Failed' || instance.status === 'Terminated';
  return {
    name: instance.name,
    instanceId: instance.id,
    runtimeStatus: instance.status,
    input: query.get('showInput') === 'false' ? null : parsed(instance.input),
    customStatus: parsed(instance.customStatus),
    output: isText ? instance.output : parsed(instance.output),
    createdTime: toSeconds(instance.createdAt),
    lastUpdatedTime: toSeconds(instance.updatedAt),
  };
}
