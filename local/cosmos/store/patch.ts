import { badRequest, CosmosError } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { isJsonObject } from '../json.ts';
import { parsePath } from '../partitionKey.ts';
import { parseCondition } from '../sql/parser.ts';
import { compileRows } from '../sql/select.ts';
import { containerAlias } from '../sql/syntax.ts';
import type { Container } from './catalogue.ts';

/** Changes of single properties, made only when the condition holds. */
export interface Patch {
  readonly condition: string | undefined;
  readonly operations: readonly JsonObject[];
}

const maxOperations = 10;
const systemProperties = new Set(['_rid', '_self', '_etag', '_ts', '_attachments']);

/** Reads `[operations]` or `{ condition?, operations }`. */
export function readPatch(body: Json | undefined): Patch {
  const operations = isJsonObject(body) ? body.operations : body;
  const condition = isJsonObject(body) ? body.condition : undefined;
  if (!Array.isArray(operations) || operations.length === 0 || !operations.every(isJsonObject)) {
    throw badRequest('A patch is a list of operations { op, path, value }.');
  }
  if (operations.length > maxOperations) {
    throw badRequest(
      `A patch may have at most ${maxOperations} operations; this one has ${operations.length}.`,
    );
  }
  if (condition !== undefined && typeof condition !== 'string') {
    throw badRequest('The condition of a patch is a text.');
  }
  return { condition, operations };
}

/** Gives the item changed. Throws 412 when the condition does not hold and 400 when an operation is impossible. */
export function applyPatch(
  document: JsonObject,
  { condition, operations }: Patch,
  container: Container,
): JsonObject {
  if (condition !== undefined && !holds(condition, document)) {
    throw new CosmosError(
      412,
      'PreconditionFailed',
      'The condition of the patch does not hold for the item.',
    );
  }
  const fixed = new Set(['id', ...container.rules.partitionPaths.map((path) => path.join('/'))]);
  const pathOf = (text: Json | undefined): string[] => {
    const path = parsePath(typeof text === 'string' ? text : '').map((name) =>
      name.replaceAll('~1', '/').replaceAll('~0', '~'),
    );
    if (fixed.has(path.join('/')) || systemProperties.has(path[0] ?? '')) {
      throw badRequest(`A patch cannot change ${String(text)}.`);
    }
    return path;
  };
  for (const operation of operations) applyOperation(document, operation, pathOf);
  return document;
}

function holds(condition: string, document: JsonObject): boolean {
  const query = parseCondition(condition);
  const alias = containerAlias(query) ?? '';
  return compileRows(query)({ values: { [alias]: document }, parameters: new Map() }).length > 0;
}

function applyOperation(
  document: JsonObject,
  operation: JsonObject,
  pathOf: (text: Json | undefined) => string[],
): void {
  const { op, value } = operation;
  const place = placeOf(document, pathOf(operation.path));
  const given = (): Json => {
    if (value === undefined) throw badRequest(`The patch operation ${String(op)} needs a value.`);
    return value;
  };
  switch (op) {
    case 'add':
      return place.add(given());
    case 'set':
      return place.has() ? place.replace(given()) : place.add(given());
    case 'replace':
      return place.replace(given());
    case 'remove':
      return place.remove();
    case 'incr': {
      const before = place.has() ? place.read() : 0;
      if (typeof value !== 'number' || typeof before !== 'number') {
        throw badRequest(`incr at ${String(operation.path)} needs a number there and a number as value.`);
      }
      return place.has() ? place.replace(before + value) : place.add(value);
    }
    case 'move': {
      const from = placeOf(document, pathOf(operation.from));
      const moved = from.read();
      from.remove();
      // The target is found anew: taking an element out of a list moves the ones behind it.
      return placeOf(document, pathOf(operation.path)).add(moved);
    }
    default:
      throw badRequest(`'${String(op)}' is no patch operation: add, set, replace, remove, incr or move.`);
  }
}

/** One property of an object, or one place in a list. */
interface Place {
  has(): boolean;
  read(): Json;
  /** In a list, moves what is behind. */
  add(value: Json): void;
  replace(value: Json): void;
  remove(): void;
}

function placeOf(document: JsonObject, path: readonly string[]): Place {
  const text = `/${path.join('/')}`;
  let parent: Json = document;
  for (const name of path.slice(0, -1)) {
    const next: Json | undefined = Array.isArray(parent)
      ? parent[indexOf(name, text)]
      : isJsonObject(parent) && Object.hasOwn(parent, name)
        ? parent[name]
        : undefined;
    if (next === undefined)
      throw badRequest(`The patch path ${text} leads through '${name}', which is absent.`);
    parent = next;
  }
  const last = path.at(-1) ?? '';
  const missing = () => badRequest(`The patch path ${text} is absent from the item.`);
  if (Array.isArray(parent))
    return placeInList(parent, last === '-' ? parent.length : indexOf(last, text), missing);
  if (isJsonObject(parent)) return placeInObject(parent, last, missing);
  throw badRequest(`The patch path ${text} leads into a value without properties.`);
}

function placeInObject(parent: JsonObject, name: string, missing: () => Error): Place {
  const has = () => Object.hasOwn(parent, name);
  const need = () => {
    if (!has()) throw missing();
  };
  const put = (value: Json) =>
    void Object.defineProperty(parent, name, { value, enumerable: true, writable: true, configurable: true });
  return {
    has,
    read() {
      need();
      return parent[name] ?? null;
    },
    add: put,
    replace(value) {
      need();
      put(value);
    },
    remove() {
      need();
      Reflect.deleteProperty(parent, name);
    },
  };
}

function placeInList(list: Json[], index: number, missing: () => Error): Place {
  const has = () => index < list.length;
  const need = () => {
    if (!has()) throw missing();
  };
  return {
    has,
    read() {
      need();
      return list[index] ?? null;
    },
    add(value) {
      if (index > list.length) throw missing();
      list.splice(index, 0, value);
    },
    replace(value) {
      need();
      list[index] = value;
    },
    remove() {
      need();
      list.splice(index, 1);
    },
  };
}

function indexOf(name: string, path: string): number {
  if (!/^\d+$/.test(name)) throw badRequest(`'${name}' in the patch path ${path} is no place in a list.`);
  return Number(name);
}
