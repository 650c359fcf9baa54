import type { DurableEngine } from './engine.ts';
import { entityInstanceId, parseEntityId } from './entityMessages.ts';
import type { ApiAnswer, ApiRequest } from './apiMessages.ts';
import { forbiddenInIds } from './instanceIds.ts';
import { DurableRefusal } from './refusal.ts';
import { date, jsonText, page, parsed } from './requestValues.ts';
import type { Entity } from './store.ts';

/** `entities` of the management API: read one, list them, signal one. */
export class EntityApi {
  readonly #engine: DurableEngine;
  constructor(engine: DurableEngine) {
    this.#engine = engine;
  }

  answer(
    request: ApiRequest,
    name: string | undefined,
    keyText: string | undefined,
    operation: string | undefined,
  ): ApiAnswer {
    if (operation !== undefined) return { status: 404 };
    if (name === undefined || keyText === undefined) {
      return request.method === 'GET' ? this.#list(request, name) : { status: 404 };
    }
    const key = keyText === '$' ? '' : keyText;
    if (forbiddenInIds.test(key)) {
      throw new DurableRefusal(400, 'Entity keys must not contain /, \\, #, ?, or control characters.');
    }
    switch (request.method) {
      case 'GET':
        return this.#read(name, key);
      case 'POST':
        this.#engine.signal(name, key, request.query.get('op') ?? '', operationInput(request));
        return { status: 202 };
      case 'DELETE':
        this.#engine.signal(name, key, 'delete', null);
        return { status: 202 };
      default:
        return { status: 404 };
    }
  }

  #read(name: string, key: string): ApiAnswer {
    const entity = this.#engine.store.entity(entityInstanceId(name, key));
    if (entity?.exists !== true) return { status: 404 };
    return { status: 200, body: parsed(entity.state) };
  }

  #list({ query }: ApiRequest, name: string | undefined): ApiAnswer {
    const { limit, offset } = page(query);
    const found = this.#engine.store.entities({
      idPrefix: name === undefined ? '@' : entityInstanceId(name, ''),
      lastOperationFrom: date(query, 'lastOperationTimeFrom'),
      lastOperationTo: date(query, 'lastOperationTimeTo'),
      limit: limit + 1,
      offset,
    });
    const withState = query.get('fetchState')?.toLowerCase() === 'true';
    return {
      status: 200,
      body: found.slice(0, limit).map((entity) => listed(entity, withState)),
      ...(found.length > limit && { headers: { 'x-ms-continuation-token': String(offset + limit) } }),
    };
  }
}

const listed = ({ id, lastOperation, state }: Entity, withState: boolean): Record<string, unknown> => ({
  entityId: parseEntityId(id),
  lastOperationTime: lastOperation,
  ...(withState && { state: parsed(state) }),
});

/** JSON as it is, other content as text. */
function operationInput({ body, contentType }: ApiRequest): string | null {
  if (body.length === 0) return null;
  return contentType === 'application/json' ? jsonText(body) : JSON.stringify(body.toString('utf8'));
}
